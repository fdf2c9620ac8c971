package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	admin "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// checkFirestore looks whether Firestore can be read, whether the app is in Testing mode, and whether there is the TTL
// policy.
func (d *doctor) checkFirestore(ctx context.Context, c *config.Config) {
	const name, ttl = "Firestore", "the TTL policy"
	switch {
	case c.Memory:
		d.skipped(name, "is not used: TOKEN_STORE is memory")
		return
	case c.Project == "":
		d.skipped(name, "cannot be looked for without GOOGLE_CLOUD_PROJECT")
		return
	}
	count, err := read(ctx, c)
	if err != nil {
		d.wrong(name, "cannot be read (%v): %s", err, mend(err, c))
		d.skipped(ttl, "was not looked for")
		return
	}
	d.fine(name, "answers in the project %s, database %s", c.Project, c.Database)
	if count.Ending > 0 && count.Ending == count.Active {
		d.mind("the app", "seems to be in Testing: Google ends each of the %d grants 7 days after its consent. Publish it at "+
			"https://console.cloud.google.com/auth/audience", count.Ending)
	}
	if c.Emulator != "" {
		d.skipped(ttl, "is not there in an emulator")
		return
	}
	d.checkTTL(ctx, c)
}

// read reads a grant that does not exist, and counts those that exist.
func read(ctx context.Context, c *config.Config) (*tokenstore.Count, error) {
	keys, err := seal.New() // nothing is opened
	if err != nil {
		return nil, err
	}
	store, err := tokenstore.OpenFirestore(tokenstore.FirestoreConfig{
		Project: c.Project, Database: c.Database, Emulator: c.Emulator, Prefix: c.Prefix, Keyset: keys,
	})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if _, err = store.Get(ctx, "doctor"); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return nil, err
	}
	return store.Count(ctx)
}

// mend says what to do about an error of Firestore's.
func mend(err error, c *config.Config) string {
	switch code := status.Code(err); {
	case c.Emulator != "":
		return "start the emulator at " + c.Emulator + " or unset FIRESTORE_EMULATOR_HOST"
	case code == codes.NotFound:
		return "make the database with deploy/setup.sh, or correct GOOGLE_CLOUD_PROJECT and FIRESTORE_DATABASE"
	case code == codes.PermissionDenied:
		return "enable the API and grant the role with deploy/setup.sh; whoever runs this needs roles/datastore.user, too"
	case code == codes.FailedPrecondition:
		return "the database has to be in Firestore's native mode: name another one in FIRESTORE_DATABASE and run deploy/setup.sh"
	}
	return "sign in with `gcloud auth application-default login`, and see whether this machine reaches firestore.googleapis.com"
}

// checkTTL asks Firestore's Admin API whether it removes the marks of used sign-ins.
func (d *doctor) checkTTL(ctx context.Context, c *config.Config) {
	const name = "the TTL policy"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	group := c.Prefix + "flows"
	field, err := getField(ctx, d, fmt.Sprintf("projects/%s/databases/%s/collectionGroups/%s/fields/expires", c.Project, c.Database, group))
	switch state := field.GetTtlConfig().GetState(); {
	case err != nil:
		d.wrong(name, "cannot be looked for (%v): whoever runs this needs roles/datastore.viewer", err)
	case state == adminpb.Field_TtlConfig_ACTIVE:
		d.fine(name, "is active on %s.expires", group)
	case state == adminpb.Field_TtlConfig_CREATING:
		d.fine(name, "is being made on %s.expires", group)
	default:
		d.wrong(name, "is not on %s.expires, so that marks of used sign-ins pile up: run deploy/setup.sh", group)
	}
}

func getField(ctx context.Context, d *doctor, name string) (*adminpb.Field, error) {
	client, err := admin.NewFirestoreAdminRESTClient(ctx, d.admin...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.GetField(ctx, &adminpb.GetFieldRequest{Name: name})
}
