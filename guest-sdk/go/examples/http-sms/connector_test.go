package main

import (
	"testing"
	"time"

	"sendbox"
	"sendbox/testkit"
)

const given = `{"endpoint":"https://hooks.example.com/"}`

func TestItSaysOfItselfWhatTheContractAsksFor(t *testing.T) {
	testkit.CheckAbout(t, httpSMS.About)
}

func TestItDoesWhatThePeerDoes(t *testing.T) {
	testkit.ReplayGolden(t, httpSMS)
}

func TestItDoesWhatItsOwnCasesSay(t *testing.T) {
	testkit.Replay(t, httpSMS, "cases/sign-in.jsonl")
}

func TestAnEmptyAuthorizationIsNotSent(t *testing.T) {
	message := testkit.Message("4915112345678", "SignIn", "{}")
	request, _ := testkit.Request(httpSMS, `{"endpoint":"https://hooks.example.com/","authorization":""}`, message)
	if len(request.Headers) != 1 {
		t.Error(request.Headers)
	}
}

func TestTheEndpointMayAskToWait(t *testing.T) {
	message := testkit.Message("4915112345678", "SignIn", "{}")
	busy := testkit.Response(429, "busy", sendbox.Pair{"retry-after", "7"})
	_, failure := testkit.Send(httpSMS, given, message, busy)
	if failure.Kind != sendbox.Throttled || *failure.RetryAfter != 7*time.Second {
		t.Error(failure)
	}
}
