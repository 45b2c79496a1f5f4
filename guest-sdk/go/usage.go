package sendbox

import (
	"errors"
	"slices"
	"strings"
)

// Generic is the usage type that stands in for every one without a template of its own.
const Generic = "Generic"

// Required are the usage types that every template list must serve, as Logto's connectors demand.
var Required = []string{"Register", "SignIn", "ForgotPassword", Generic}

// Template is one entry of a template list. Embed it beside what the provider needs.
type Template struct {
	// What the message is for. A type that there is not is kept and never chosen.
	UsageType string `json:"usageType"`
}

func (t Template) usageType() string {
	return t.UsageType
}

// Templates is a template list of the settings that serves at least the [Required] usage types.
type Templates[T interface{ usageType() string }] []T

// Choose finds the first template for the usage type, else the first for [Generic].
func (t Templates[T]) Choose(usageType string) (*T, error) {
	for _, wanted := range []string{usageType, Generic} {
		if found, err := t.ChooseExact(wanted); err == nil {
			return found, nil
		}
	}
	return nil, templateNotFound(usageType)
}

// ChooseExact finds the first template for exactly this usage type.
func (t Templates[T]) ChooseExact(usageType string) (*T, error) {
	at := slices.IndexFunc(t, func(entry T) bool { return entry.usageType() == usageType })
	if at < 0 {
		return nil, templateNotFound(usageType)
	}
	return &t[at], nil
}

// Check finds required usage types without a template.
func (t Templates[T]) Check() error {
	var missing []string
	for _, required := range Required {
		if _, err := t.ChooseExact(required); err != nil {
			missing = append(missing, required)
		}
	}
	if len(missing) > 0 {
		return errors.New("no template for " + strings.Join(missing, ", "))
	}
	return nil
}

func templateNotFound(usageType string) *Failure {
	return Fail(TemplateNotFound, "no template for the usage type %s", usageType)
}
