package signing_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendbox"
	"sendbox/signing"
	"sendbox/testkit"
)

// The first example of "Signature Calculations for the Authorization Header" of the Amazon S3 API Reference.
func TestARequestIsSignedAsAWSPublishedIt(t *testing.T) {
	const address = "https://examplebucket.s3.amazonaws.com/test.txt"
	// As somebody typed it, and as it goes on the wire.
	for _, typed := range []string{address, "HTTPS://ExampleBucket.S3.AmazonAWS.com:443/a/../test.txt"} {
		request, err := signing.SigV4(
			sendbox.Get(typed).Header("Range", " bytes=0-9 "),
			signing.AccessKey{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
			signing.Scope{Region: "us-east-1", Service: "s3"},
			time.Date(2013, time.May, 24, 0, 0, 0, 0, time.UTC),
		)
		if err != nil {
			t.Fatal(err)
		}
		const expected = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
			"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, " +
			"Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
		if got := request.Headers[len(request.Headers)-1]; got != (sendbox.Pair{"authorization", expected}) {
			t.Error(got)
		}
		if request.URL != address {
			t.Error(request.URL)
		}
	}
}

func TestAnAddressThatServicesReadInTwoWaysIsNotSigned(t *testing.T) {
	for _, url := range []string{
		"", "/path", "https://x.test/?a=b", "https://x.test/a%20b", "https://x.test/a b", "https://x.test/a:b",
		"https://x.test/a//b", "https://x.test//", "https://u:p@x.test/",
	} {
		_, err := signing.SigV4(sendbox.Get(url), ownKey, ownScope, time.Now())
		if failure, ok := err.(*sendbox.Failure); !ok || failure.Kind != sendbox.InvalidSettings {
			t.Error(url, err)
		}
	}
}

var (
	ownKey   = signing.AccessKey{ID: "id", Secret: "secret"}
	ownScope = signing.Scope{Region: "us-east-1", Service: "ses"}
)

func TestWithoutAllOfAnAccessKeyAndItsScopeNothingIsSigned(t *testing.T) {
	for _, missing := range []struct {
		key   signing.AccessKey
		scope signing.Scope
	}{
		{signing.AccessKey{Secret: ownKey.Secret}, ownScope},
		{signing.AccessKey{ID: ownKey.ID}, ownScope},
		{ownKey, signing.Scope{Service: ownScope.Service}},
		{ownKey, signing.Scope{Region: ownScope.Region}},
	} {
		_, err := signing.SigV4(sendbox.Get("https://x.test/"), missing.key, missing.scope, time.Now())
		if failure, ok := err.(*sendbox.Failure); !ok || failure.Kind != sendbox.InvalidSettings {
			t.Error(missing, err)
		}
	}
}

type sesSettings struct {
	AccessKeyID     string                                  `json:"accessKeyId"`
	AccessKeySecret string                                  `json:"accessKeySecret"`
	Region          string                                  `json:"region"`
	EmailAddress    string                                  `json:"emailAddress,omitzero"`
	Templates       sendbox.Templates[sendbox.MailTemplate] `json:"templates"`
}

type text struct {
	Data    string
	Charset string `json:",omitzero"`
}

// ses is as much of Amazon SES as the recorded mails by usage type need.
var ses = sendbox.Connector[sesSettings]{
	About: sendbox.About{ID: "aws-ses"},
	Request: func(settings *sesSettings, message *sendbox.Message) (*sendbox.Request, error) {
		content, err := sendbox.MailContent(settings.Templates, message)
		if err != nil {
			return nil, err
		}
		type simple struct {
			Subject text
			Body    struct{ Html text }
		}
		type mail struct {
			Content          struct{ Simple simple }
			FromEmailAddress string `json:",omitzero"`
			Destination      struct{ ToAddresses []string }
		}
		var body mail
		body.Content.Simple.Subject = text{content.Subject, "utf8"}
		body.Content.Simple.Body.Html = text{Data: content.Body}
		body.FromEmailAddress = settings.EmailAddress
		body.Destination.ToAddresses = []string{message.Recipient}
		return signing.SigV4(
			sendbox.PostJSON("https://email."+settings.Region+".amazonaws.com/v2/email/outbound-emails", body),
			signing.AccessKey{ID: settings.AccessKeyID, Secret: settings.AccessKeySecret},
			signing.Scope{Region: settings.Region, Service: "ses"},
			message.Now,
		)
	},
}

func TestRecordedMailsAreSignedWithTheSecretOfTheirSettings(t *testing.T) {
	text, err := os.ReadFile(testkit.Golden(t, "aws-ses.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var chosen strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"id":"aws-ses/usage-`) || strings.Contains(line, `"id":"aws-ses/clock-`) {
			chosen.WriteString(line)
		}
	}
	file := filepath.Join(t.TempDir(), "cases.jsonl")
	if err := os.WriteFile(file, []byte(chosen.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Replay(t, ses, file)
}
