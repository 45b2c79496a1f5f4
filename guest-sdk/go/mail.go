package sendbox

import "fmt"

// MailTemplate is one entry of a list of e-mail templates.
type MailTemplate struct {
	Template
	// How to read the content, by one of the two names that Logto's connectors have for it; HTML by default.
	Type        ContentType `json:"type,omitzero"`
	ContentType ContentType `json:"contentType,omitzero"`
	Subject     string      `json:"subject"`
	Content     string      `json:"content"`
}

// MailContent is the message's text with its variables filled in: the overriding one, else that of the template for
// its usage type.
func MailContent(templates Templates[MailTemplate], message *Message) (*Content, error) {
	if content := message.FilledContent(); content != nil {
		return content, nil
	}
	template, err := templates.Choose(message.UsageType)
	if err != nil {
		return nil, err
	}
	contentType := max(template.Type, template.ContentType)
	return &Content{
		Subject:     message.RenderLine(template.Subject),
		Body:        message.RenderAs(contentType, template.Content),
		ContentType: contentType,
	}, nil
}

// UnmarshalText reads a media type.
func (t *ContentType) UnmarshalText(text []byte) error {
	for _, known := range []ContentType{HTML, Plain} {
		if string(text) == known.String() {
			*t = known
			return nil
		}
	}
	return fmt.Errorf("expected %s or %s", HTML, Plain)
}
