package main

import (
	"fmt"
	"testing"

	"sendbox"
	"sendbox/testkit"
)

const code = `{"usageType":%q,"templateAlias":"code"}`

var given = `{"serverToken":"token","fromEmail":"noreply@example.com","templates":[` +
	fmt.Sprintf(code+","+code+","+code+","+code, "Register", "SignIn", "ForgotPassword", "Generic") + `]}`

func answered(response *sendbox.Response) (*sendbox.Receipt, *sendbox.Failure) {
	message := testkit.Message("alice@example.net", "SignIn", `{"code":"123456"}`)
	return testkit.Send(postmark, given, message, response)
}

func TestItSaysOfItselfWhatTheContractAsksFor(t *testing.T) {
	testkit.CheckAbout(t, postmark.About)
}

func TestItDoesWhatThePeerDoes(t *testing.T) {
	testkit.ReplayGolden(t, postmark)
}

func TestItDoesWhatItsOwnCasesSay(t *testing.T) {
	testkit.Replay(t, postmark, "cases/sign-in.jsonl")
}

func TestTheReceiptCarriesTheMessageID(t *testing.T) {
	receipt, failure := answered(testkit.Response(200, `{"MessageID":"b7bc2f4a","ErrorCode":0,"Message":"OK"}`))
	if failure != nil || *receipt != (sendbox.Receipt{ProviderMessageID: "b7bc2f4a", Detail: "OK"}) {
		t.Error(receipt, failure)
	}
}

func TestASuccessThatCarriesAnErrorCodeIsAFailureWithoutTheRecipient(t *testing.T) {
	_, failure := answered(testkit.Response(200, `{"ErrorCode":406,"Message":"inactive: alice@example.net"}`))
	if failure.Kind != sendbox.Rejected || failure.Code != "406" || failure.Message != "inactive: …" {
		t.Error(failure)
	}
}

func TestEveryErrorCodeThatMattersHasItsKind(t *testing.T) {
	for _, row := range []struct {
		status, code int
		kind         sendbox.FailureKind
	}{
		{401, 10, sendbox.Unauthorized},
		{503, 100, sendbox.Unavailable},
		{422, 300, sendbox.Rejected},
		{422, 400, sendbox.InvalidSettings},
		{422, 405, sendbox.Throttled},
		{422, 412, sendbox.Unauthorized},
		{422, 1101, sendbox.TemplateNotFound},
		{500, 9999, sendbox.Unknown},
	} {
		_, failure := answered(testkit.Response(row.status, fmt.Sprintf(`{"ErrorCode":%d,"Message":"words"}`, row.code)))
		if failure.Kind != row.kind {
			t.Errorf("%d: %s", row.code, failure.Kind)
		}
	}
}

func TestATextOfTheTenantsOwnTakesTheTemplatesPlace(t *testing.T) {
	message := testkit.MailInBothForms()
	message.Content.SendFrom = "Example"
	message.Content.ReplyTo = "help@example.com"
	request, _ := testkit.Request(postmark, given, message)
	const expected = `{"From":"Example <noreply@example.com>","ReplyTo":"help@example.com","To":"alice@example.net",` +
		`"HtmlBody":"<p>123456</p>","Subject":"Hello 123456","TextBody":"123456!"}`
	if request.URL != textURL || string(request.Body) != expected {
		t.Errorf("%s %s", request.URL, request.Body)
	}
}
