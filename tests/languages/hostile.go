// Does its worst, as its settings say.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"

	"sendbox"
	"sendbox/component"
)

//go:embed settings.schema.json
var schema string

//go:embed README.md
var readme string

var hostile = sendbox.Connector[settings]{
	About: sendbox.About{
		ID:             "hostile",
		Channel:        sendbox.SMS,
		Version:        "0.1.0",
		Titles:         sendbox.Texts{{"en", "Hostile"}},
		Descriptions:   sendbox.Texts{{"en", "Does its worst."}},
		SettingsSchema: schema,
		Hosts:          []string{"echo.example.com"},
		Readme:         readme,
	},
	Send: send,
}

func init() { component.Export(hostile) }

func main() {}

type settings struct {
	Act string `json:"act"`
}

var kept [][]byte

func send(_ context.Context, settings *settings, _ *sendbox.Message) (*sendbox.Receipt, error) {
	switch settings.Act {
	case "endless-loop":
		for {
		}
	case "memory-bomb":
		for {
			kept = append(kept, []byte(strings.Repeat("x", 1<<20)))
		}
	case "log-flood":
		for range 1_000 {
			fmt.Println(strings.Repeat("words ", 20))
		}
	case "throw":
		panic("thrown as told")
	case "exit":
		os.Exit(7)
	}
	return &sendbox.Receipt{}, nil
}
