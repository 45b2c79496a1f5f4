package sendbox_test

import (
	"errors"
	"testing"

	"sendbox"
)

type outer struct {
	Inner []inner `json:"inner"`
}

type inner struct {
	APIKey string `json:"apiKey"`
	Pool   pool   `json:"pool,omitzero"`
	Port   int    `json:"port,omitzero"`
	Strict *bool  `json:"strict,omitzero"`
}

type pool string

func (p pool) Check() error {
	if p == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func TestTheFailingFieldIsNamedAndItsValueIsNot(t *testing.T) {
	for text, expected := range map[string]string{
		`{"inner":[{"apiKey":12345}]}`:                        "inner[0].apiKey: expected a string",
		`{"inner":[{}]}`:                                      "inner[0]: missing field `apiKey`",
		`{"inner":[{"apiKey":"k","pool":""}]}`:                "inner[0].pool: must not be empty",
		`{"inner":[{"apiKey":"k","pool":null}]}`:              "inner[0].pool: expected a string",
		`{"inner":[{"apiKey":"k"},{"apiKey":"k","port":{}}]}`: "inner[1].port: expected int",
		`{"inner":[{"apiKey":"k","port":null}]}`:              "inner[0].port: expected int",
		`{"inner":"sk_live"}`:                                 "inner: expected a list",
		`{"inner":[7]}`:                                       "inner[0]: expected an object",
		"{}":                                                  "settings: missing field `inner`",
		"nonsense":                                            "settings: expected JSON",
	} {
		err := sendbox.ReadSettings(text, new(outer))
		failure, ok := errors.AsType[*sendbox.Failure](err)
		if !ok || failure.Kind != sendbox.InvalidSettings || failure.Message != expected {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSettingsAreReadByTheirTags(t *testing.T) {
	var settings outer
	err := sendbox.ReadSettings(`{"inner":[{"apiKey":"k","port":587,"strict":true,"more":1}]}`, &settings)
	if err != nil {
		t.Fatal(err)
	}
	if read := settings.Inner[0]; read.APIKey != "k" || read.Port != 587 || read.Strict == nil || !*read.Strict {
		t.Error(read)
	}
}

func TestATemplateListMustServeTheRequiredUsageTypes(t *testing.T) {
	var settings struct {
		Templates sendbox.Templates[sendbox.MailTemplate] `json:"templates"`
	}
	const template = `{"usageType":"SignIn","subject":"s","content":"c","type":"text/plain"}`
	err := sendbox.ReadSettings(`{"templates":[`+template+`]}`, &settings)
	if err == nil || err.Error() != "templates: no template for Register, ForgotPassword, Generic" {
		t.Error(err)
	}
}
