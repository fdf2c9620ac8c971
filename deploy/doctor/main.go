// Command doctor says what is wrong with a configuration and how to mend it: with the environment, as the functions read
// it, and what it names; or, with -deployed, with what is deployed, by the scripts' settings and through gcloud. It
// changes nothing and shows no secret.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/api/option"

	"functions.local/oauth/shared/config"
)

const usage = `Says what is wrong and how to mend it. It exits with 0 if all is well, or else with 1.

usage:
  go run ./deploy/doctor             with the environment of the functions
  go run ./deploy/doctor -deployed   with what is deployed, for the settings of deploy/settings.sh
`

func main() {
	d := &doctor{getenv: os.Getenv, now: time.Now, client: &http.Client{Timeout: 60 * time.Second}, out: os.Stdout}
	examine := d.examine
	switch {
	case len(os.Args) == 2 && os.Args[1] == "-deployed":
		examine = d.examineDeployed
	case len(os.Args) > 1:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if !examine(context.Background()) {
		os.Exit(1)
	}
}

// A doctor examines one environment.
type doctor struct {
	getenv func(string) string
	now    func() time.Time
	client *http.Client          // to Google
	admin  []option.ClientOption // of Firestore's Admin API, beside the defaults
	out    io.Writer
	sick   bool
}

// examine reports whether all is well.
func (d *doctor) examine(ctx context.Context) bool {
	c, err := config.Parse(d.getenv)
	var faults config.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			d.wrong(f.Name, "%s", f.Text)
		}
	}
	if c.Keyset != nil {
		d.fine("TOKEN_KEYSET", "opens")
	}
	d.checkClient(c)
	d.checkHost(c)
	d.checkClock(ctx, c)
	d.checkFirestore(ctx, c)
	return !d.sick
}

// mind, fine, skipped and wrong print what was found; wrong also makes the doctor report that not all is well.
func (d *doctor) mind(what, format string, args ...any)    { d.say("mind", what, format, args) }
func (d *doctor) fine(what, format string, args ...any)    { d.say("ok", what, format, args) }
func (d *doctor) skipped(what, format string, args ...any) { d.say("skipped", what, format, args) }

func (d *doctor) wrong(what, format string, args ...any) {
	d.sick = true
	d.say("WRONG", what, format, args)
}

func (d *doctor) say(verdict, what, format string, args []any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	fmt.Fprintf(d.out, "%-8s%s %s\n", verdict, what, text)
}
