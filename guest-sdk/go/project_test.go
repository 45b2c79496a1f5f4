package sendbox_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The template becomes a project as `sendbox connector new` makes one, but for the SDK, which stays where it is.
func TestANewProjectPassesItsOwnTests(t *testing.T) {
	project := t.TempDir()
	sdk, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	template := os.DirFS("template")
	err = fs.WalkDir(template, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(template, name)
		if err != nil {
			return err
		}
		filled := strings.NewReplacer("{{name}}", "new-mail", "{{title}}", "New mail", "./sdk", sdk).Replace(string(text))
		path := filepath.Join(project, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(filled), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	test := exec.Command("go", "test", "./...")
	test.Dir = project
	test.Env = append(os.Environ(), "GOWORK=off")
	if output, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}
