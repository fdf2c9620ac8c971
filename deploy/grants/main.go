// Command grants shows whoever runs the service what is stored about its users, and disconnects those who ask for that.
// It shows no token.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

const usage = `usage:
  go run ./deploy/grants                     print how many grants there are
  go run ./deploy/grants show USER           print what is kept of a user, by owner or email address; never a token
  go run ./deploy/grants disconnect OWNER    withdraw the user's consent at Google, and delete the grant
  go run ./deploy/grants disconnect-all      the same for every user, before everything is taken down

The environment is that of the functions.
`

func main() {
	if err := run(context.Background(), os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	var do func(context.Context, *office) error
	switch {
	case len(args) == 0:
		do = count
	case len(args) == 2 && args[0] == "show":
		do = func(ctx context.Context, o *office) error { return show(ctx, o, args[1]) }
	case len(args) == 2 && args[0] == "disconnect":
		do = func(ctx context.Context, o *office) error { return disconnect(ctx, o, args[1]) }
	case len(args) == 1 && args[0] == "disconnect-all":
		do = disconnectAll
	default:
		return errors.New(strings.TrimSpace(usage))
	}
	c, err := config.Parse(getenv)
	if err != nil {
		return err
	}
	if c.Memory {
		return errors.New("TOKEN_STORE is memory: there is nothing to look at")
	}
	store, err := tokenstore.OpenFirestore(tokenstore.FirestoreConfig{
		Project: c.Project, Database: c.Database, Emulator: c.Emulator, Prefix: c.Prefix, Keyset: c.Keyset,
	})
	if err != nil {
		return err
	}
	defer store.Close()
	return do(ctx, &office{store, c, out})
}

// An office is what the commands work with.
type office struct {
	store  *tokenstore.Firestore
	config *config.Config
	out    io.Writer
}

func (o *office) say(what, format string, args ...any) {
	fmt.Fprintf(o.out, "%-16s"+format+"\n", append([]any{what}, args...)...)
}

func count(ctx context.Context, o *office) error {
	c, err := o.store.Count(ctx)
	if err != nil {
		return err
	}
	o.say("grants", "%d", c.All)
	o.say("active", "%d", c.Active)
	for _, reason := range slices.Sorted(maps.Keys(c.Needs)) {
		o.say("needs consent", "%d %s", c.Needs[reason], reason)
	}
	if c.Ending > 0 {
		o.say("ending", "%d that Google ends by themselves: the app is in Testing, or the users chose a time", c.Ending)
	}
	return nil
}

func show(ctx context.Context, o *office, user string) error {
	g, err := o.store.Get(ctx, user)
	found := []*tokenstore.Grant{g}
	if errors.Is(err, tokenstore.ErrNotFound) {
		found, err = o.store.ByEmail(ctx, user)
	}
	if errors.Is(err, tokenstore.ErrNotFound) {
		return fmt.Errorf("no grant of %s, by owner or email address", user)
	}
	if err != nil {
		return err
	}
	for _, g := range found {
		o.show(g)
	}
	return nil
}

func (o *office) show(g *tokenstore.Grant) {
	if g.Reason == tokenstore.ReasonUnknownKey {
		o.say("owner", "%s, sealed with a key that is not in TOKEN_KEYSET", g.Owner)
		return
	}
	o.say("owner", "%s", g.Owner)
	o.say("Google account", "%s %s %s", g.Account(), g.Email, g.Domain)
	o.say("status", "%s %s", g.Status, g.Reason)
	o.say("may", "%s", strings.Join(slices.Concat(g.Scopes, g.Apart.Scopes), " "))
	for _, job := range g.Jobs {
		o.say("job", "%s %s", job, g.Zones[job])
	}
	for _, s := range g.Sessions {
		o.say("session", "since %s %s", date(s.Start), s.Browser)
	}
	o.say("first consent", "%s", date(g.Created))
	o.say("last consent", "%s", date(g.Consented))
	if !g.RefreshExpiry.IsZero() {
		o.say("ends", "%s", date(g.RefreshExpiry))
	}
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func disconnect(ctx context.Context, o *office, owner string) error {
	g, err := o.store.Get(ctx, owner)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return fmt.Errorf("no grant of the owner %s: show finds owners by email address", owner)
	}
	if err != nil {
		return err
	}
	return o.disconnect(ctx, g)
}

func (o *office) disconnect(ctx context.Context, g *tokenstore.Grant) error {
	flow := oauthflow.New(oauthflow.Config{
		ClientID: o.config.ClientID, ClientSecret: o.config.ClientSecret, RedirectURI: o.config.RedirectURI(), Keys: o.config.Keyset,
		Store: o.store, Transport: userclient.NewTransport(o.config.GoogleBaseURL), GoogleBase: o.config.GoogleBaseURL, Now: time.Now,
		Audit: func(context.Context, string, string, ...any) {}, // the result says it
		Warn:  func(context.Context, string, string, ...any) {},
	})
	result, err := flow.Disconnect(ctx, g)
	if err != nil {
		return err
	}
	o.say("deleted", "%s; at Google: %s", g.Owner, result)
	return nil
}

func disconnectAll(ctx context.Context, o *office) error {
	for {
		some, err := o.store.Some(ctx, 100)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, g := range some {
			if err := disconnect(ctx, o, g.Owner); err != nil {
				return err
			}
		}
	}
}
