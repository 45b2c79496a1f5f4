package sendbox_test

import (
	"testing"

	"sendbox"
)

func TestAnAddressIsWrittenAsABrowserWritesIt(t *testing.T) {
	for typed, expected := range map[string]string{
		"HTTPS://HOOKS.Example.COM:443/Path/../X":   "https://hooks.example.com/X",
		"https://x.example":                         "https://x.example/",
		" https://x.example/a b?q='ü'&x=%41#frag\n": "https://x.example/a%20b?q=%27%C3%BC%27&x=%41",
		"http://x.example:8080/./a/%2e%2E/b/..":     "http://x.example:8080/",
		"https://x.example?q":                       "https://x.example/?q",
		"https://x.example:/a//b/":                  "https://x.example/a//b/",
		"https://x.example\\a":                      "https://x.example/a",
		"https://x.example./a":                      "https://x.example./a",
		"https://[2001:DB8::0:1]:8443/":             "https://[2001:db8::1]:8443/",
		"https://192.0.2.1/{x}|y":                   "https://192.0.2.1/%7Bx%7D|y",
		"https://MÜNCHEN.example/":                  "https://xn--mnchen-3ya.example/",
		"https://例え.テスト/":                           "https://xn--r8jz45g.xn--zckzah/",
		"https://ΟΔΟΣ.example/":                     "https://xn--pxavbq.example/",
	} {
		if got, err := sendbox.CanonicalURL(typed); got != expected || err != nil {
			t.Errorf("%s: %s %v", typed, got, err)
		}
	}
}

func TestWhatIsNoWebAddressIsRefused(t *testing.T) {
	for _, typed := range []string{
		"",
		"x.example/hook",
		"ftp://x.example/",
		"unix:/var/run/x.sock",
		"http://unix:/var/run/docker.sock:/x",
		"https://",
		"https:///path",
		"https://.",
		"https://u:p@x.example/",
		"https://x..example/",
		"https://x.example:99999/",
		"https://x.example:+1/",
		"https://0x7f.1/",
		"https://2130706433/",
		"https://x y/",
		"https://%65xample.com/",
		"https://[::1/",
		"https://[192.0.2.1]/",
		"https://[fe80::1%eth0]/",
	} {
		if got, err := sendbox.CanonicalURL(typed); err == nil {
			t.Errorf("%s became %s", typed, got)
		}
	}
}
