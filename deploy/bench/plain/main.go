// Command plain does the work of each function as one would first write it, with the packages that the functions use:
// each request has its own token source and service, and the Firestore client has its defaults. There is no sign-in, no
// session and no sealing.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"cloud.google.com/go/firestore"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"golang.org/x/oauth2"
	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/gmail/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

var (
	google = os.Getenv("GOOGLE_BASE_URL")
	conf   = &oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{
		AuthURL: "https://accounts.google.com/o/oauth2/v2/auth", TokenURL: google + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	store *firestore.Client
)

func init() {
	functions.HTTP("oauth2init", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, conf.AuthCodeURL("state", oauth2.AccessTypeOffline), http.StatusFound)
	})
	functions.HTTP("oauth2callback", serve("/oauth2callback", callback))
	functions.HTTP("listlabels", serve("/listlabels", listLabels))
	functions.HTTP("createfile", serve("/createfile", createFile))
	functions.HTTP("dailyevent", serve("/dailyevent", everyUser))
}

func main() {
	var err error
	if store, err = firestore.NewClient(context.Background(), os.Getenv("GOOGLE_CLOUD_PROJECT")); err != nil {
		log.Fatal(err)
	}
	log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")))
}

func serve(path string, f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		if err := f(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// userClient returns a client that acts for the user.
func userClient(ctx context.Context, doc *firestore.DocumentSnapshot) (*http.Client, error) {
	expiry, err := doc.DataAt("expiry")
	if err != nil {
		return nil, err
	}
	t := &oauth2.Token{AccessToken: "token", RefreshToken: "stored", Expiry: expiry.(time.Time)}
	return oauth2.NewClient(ctx, conf.TokenSource(ctx, t)), nil
}

func signedIn(r *http.Request) (*http.Client, error) {
	doc, err := store.Doc("grants/" + r.URL.Query().Get("user")).Get(r.Context())
	if err != nil {
		return nil, err
	}
	return userClient(r.Context(), doc)
}

func listLabels(w http.ResponseWriter, r *http.Request) error {
	client, err := signedIn(r)
	if err != nil {
		return err
	}
	svc, err := gmail.NewService(r.Context(), option.WithHTTPClient(client), option.WithEndpoint(google+"/"))
	if err != nil {
		return err
	}
	list, err := svc.Users.Labels.List("me").Do()
	if err != nil {
		return err
	}
	for _, label := range list.Labels {
		fmt.Fprintln(w, label.Name)
	}
	return nil
}

func createFile(w http.ResponseWriter, r *http.Request) error {
	client, err := signedIn(r)
	if err != nil {
		return err
	}
	svc, err := drive.NewService(r.Context(), option.WithHTTPClient(client), option.WithEndpoint(google+"/drive/v3/"))
	if err != nil {
		return err
	}
	if err := r.ParseMultipartForm(32 << 20); err != nil {
		return err
	}
	content, header, err := r.FormFile("file")
	if err != nil {
		return err
	}
	file, err := svc.Files.Create(&drive.File{Name: header.Filename}).Media(content, googleapi.ChunkSize(0)).Do()
	if err == nil {
		fmt.Fprintln(w, file.Id)
	}
	return err
}

func callback(w http.ResponseWriter, r *http.Request) error {
	t, err := conf.Exchange(r.Context(), r.FormValue("code"))
	if err != nil {
		return err
	}
	_, err = store.Doc("plain/"+r.FormValue("user")).Set(r.Context(), map[string]any{"refresh_token": t.RefreshToken})
	if err == nil {
		http.Redirect(w, r, "/listlabels", http.StatusSeeOther)
	}
	return err
}

func everyUser(w http.ResponseWriter, r *http.Request) error {
	docs, err := store.Collection("grants").Where("jobs", "array-contains", "dailyevent").Documents(r.Context()).GetAll()
	if err != nil {
		return err
	}
	for _, doc := range docs {
		client, err := userClient(r.Context(), doc)
		if err != nil {
			return err
		}
		svc, err := calendar.NewService(r.Context(), option.WithHTTPClient(client), option.WithEndpoint(google+"/calendar/v3/"))
		if err != nil {
			return err
		}
		if _, err := svc.Events.Insert("primary", &calendar.Event{Summary: "Plan the day"}).Do(); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "done\n")
	return err
}
