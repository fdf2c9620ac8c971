// Command least does the work of each function with the least code: no sign-in, no sessions, no sealing, no pages and no
// retries. The functions are measured against it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var (
	google    = os.Getenv("GOOGLE_BASE_URL")
	documents = "projects/" + os.Getenv("GOOGLE_CLOUD_PROJECT") + "/databases/(default)/documents"
	store     pb.FirestoreClient
	client    = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
)

func main() {
	conn, err := grpc.NewClient("passthrough:///"+os.Getenv("FIRESTORE_EMULATOR_HOST"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	store = pb.NewFirestoreClient(conn)
	http.HandleFunc("/oauth2init", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://accounts.google.com/o/oauth2/v2/auth?client_id=id", http.StatusFound)
	})
	http.HandleFunc("/oauth2callback", serve(callback))
	http.HandleFunc("/listlabels", serve(listLabels))
	http.HandleFunc("/createfile", serve(createFile))
	http.HandleFunc("/dailyevent", serve(everyUser))
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, nil))
}

func serve(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// owner adds the token of the emulator's owner to the calls of ctx.
func owner(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer owner")
}

// authorize reads the user's document, and refreshes an access token that has expired.
func authorize(r *http.Request) error {
	doc, err := store.GetDocument(owner(r.Context()), &pb.GetDocumentRequest{Name: documents + "/grants/" + r.URL.Query().Get("user")})
	if err != nil {
		return err
	}
	if doc.GetFields()["expiry"].GetTimestampValue().AsTime().After(time.Now()) {
		return nil
	}
	return redeem("refresh_token", "stored")
}

// redeem sends a code or a refresh token to the token endpoint.
func redeem(name, value string) error {
	res, err := client.PostForm(google+"/token", url.Values{name: {value}})
	if err != nil {
		return err
	}
	return decode(res, &struct{}{})
}

func decode(res *http.Response, v any) error {
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return json.NewDecoder(res.Body).Decode(v)
}

func call(ctx context.Context, method, path, contentType string, body io.Reader, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, google+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer token")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	return decode(res, v)
}

func listLabels(w http.ResponseWriter, r *http.Request) error {
	if err := authorize(r); err != nil {
		return err
	}
	var list struct{ Labels []struct{ Name string } }
	if err := call(r.Context(), "GET", "/gmail/v1/users/me/labels?fields=labels/name", "", nil, &list); err != nil {
		return err
	}
	for _, label := range list.Labels {
		fmt.Fprintln(w, label.Name)
	}
	return nil
}

// createFile passes the body on as it comes.
func createFile(w http.ResponseWriter, r *http.Request) error {
	if err := authorize(r); err != nil {
		return err
	}
	var file struct{ ID string }
	if err := call(r.Context(), "POST", "/upload/drive/v3/files?uploadType=multipart", r.Header.Get("Content-Type"), r.Body, &file); err != nil {
		return err
	}
	fmt.Fprintln(w, file.ID)
	return nil
}

// callback redeems the code and writes one document.
func callback(w http.ResponseWriter, r *http.Request) error {
	if err := redeem("code", r.FormValue("code")); err != nil {
		return err
	}
	doc := &pb.Document{Name: documents + "/least/" + r.FormValue("user"), Fields: map[string]*pb.Value{
		"refresh_token": {ValueType: &pb.Value_StringValue{StringValue: "1//stand-in"}},
	}}
	_, err := store.Commit(owner(r.Context()), &pb.CommitRequest{
		Database: strings.TrimSuffix(documents, "/documents"),
		Writes:   []*pb.Write{{Operation: &pb.Write_Update{Update: doc}}},
	})
	if err == nil {
		http.Redirect(w, r, "/listlabels", http.StatusSeeOther)
	}
	return err
}

// everyUser reads the documents page by page, and makes one call for each of them, 16 at a time.
func everyUser(w http.ResponseWriter, r *http.Request) error {
	const page = 100
	slots := make(chan struct{}, 16)
	var users sync.WaitGroup
	defer users.Wait()
	query := &pb.StructuredQuery{
		From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: "grants"}},
		Where: &pb.StructuredQuery_Filter{FilterType: &pb.StructuredQuery_Filter_FieldFilter{FieldFilter: &pb.StructuredQuery_FieldFilter{
			Field: &pb.StructuredQuery_FieldReference{FieldPath: "jobs"},
			Op:    pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS,
			Value: &pb.Value{ValueType: &pb.Value_StringValue{StringValue: "dailyevent"}},
		}}},
		OrderBy: []*pb.StructuredQuery_Order{{Field: &pb.StructuredQuery_FieldReference{FieldPath: "__name__"}}},
		Limit:   wrapperspb.Int32(page),
	}
	for n := page; n == page; {
		stream, err := store.RunQuery(owner(r.Context()), &pb.RunQueryRequest{
			Parent: documents, QueryType: &pb.RunQueryRequest_StructuredQuery{StructuredQuery: query},
		})
		if err != nil {
			return err
		}
		for n = 0; ; {
			res, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if res.GetDocument() == nil {
				continue
			}
			n++
			query.StartAt = &pb.Cursor{Values: []*pb.Value{{ValueType: &pb.Value_ReferenceValue{ReferenceValue: res.GetDocument().GetName()}}}}
			slots <- struct{}{}
			users.Go(func() {
				defer func() { <-slots }()
				body := bytes.NewReader([]byte(`{"summary":"Plan the day"}`))
				if err := call(r.Context(), "POST", "/calendar/v3/calendars/primary/events", "application/json", body, &struct{}{}); err != nil {
					log.Print(err)
				}
			})
		}
	}
	users.Wait()
	fmt.Fprintln(w, "done")
	return nil
}
