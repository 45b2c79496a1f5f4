package main

import (
	"testing"

	"sendbox"
	"sendbox/testkit"
)

func TestItSaysOfItselfWhatTheContractAsksFor(t *testing.T) {
	testkit.CheckAbout(t, connector.About)
}

func TestItDoesWhatItsCasesSay(t *testing.T) {
	testkit.Replay(t, connector, "cases/sign-in.jsonl")
}

func TestAWrongTokenIsUnauthorized(t *testing.T) {
	const settings = `{"endpoint":"https://mail.example.com/","token":"wrong","templates":[
		{"usageType":"Register","subject":"Welcome","content":"{{code}}"},
		{"usageType":"SignIn","subject":"Sign in","content":"{{code}}"},
		{"usageType":"ForgotPassword","subject":"Your password","content":"{{code}}"},
		{"usageType":"Generic","subject":"Your code","content":"{{code}}"}]}`
	message := testkit.Message("alice@example.net", "SignIn", `{"code":"123456"}`)
	_, failure := testkit.Send(connector, settings, message, testkit.Response(401, "who are you?"))
	if failure == nil || failure.Kind != sendbox.Unauthorized {
		t.Error(failure)
	}
}
