package fakegoogle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *world) drive(user, scope string) *drive.Service {
	w.Helper()
	svc, err := drive.NewService(w.Context(), option.WithHTTPClient(w.client(user, scope)))
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

func (w *world) fileID(svc *drive.Service) string {
	w.Helper()
	ids, err := svc.Files.GenerateIds().Count(1).Fields("ids").Do()
	if err != nil || len(ids.Ids) != 1 {
		w.Fatalf("%+v, %v", ids, err)
	}
	return ids.Ids[0]
}

// wantFault checks an error of google.golang.org/api.
func wantFault(t *testing.T, err error, status int, reason string) {
	t.Helper()
	var fault *googleapi.Error
	if !errors.As(err, &fault) || fault.Code != status || len(fault.Errors) == 0 || fault.Errors[0].Reason != reason {
		t.Errorf("error %v, want %d %s", err, status, reason)
	}
}

// upload posts a raw body to Drive.
func (w *world) upload(query, contentType, body string) (int, map[string]any) {
	w.Helper()
	resp, err := w.client("", driveFile).Post("https://www.googleapis.com/upload/drive/v3/files"+query, contentType, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, decode(w.T, resp)
}

func TestDrive(t *testing.T) {
	sentences(t, map[string]func(*world){
		"keeps an upload under a generated id": func(w *world) {
			svc := w.drive("", driveFile)
			id := w.fileID(svc)
			f, err := svc.Files.Create(&drive.File{Id: id, Name: "notes.txt", MimeType: "text/markdown", Description: "d"}).
				Media(strings.NewReader("hello"), googleapi.ChunkSize(0)).Fields("id,name,mimeType,size,webViewLink").Do()
			if err != nil || f.Id != id || f.Name != "notes.txt" || f.MimeType != "text/markdown" || f.Size != 5 || f.WebViewLink != "https://drive.google.com/file/d/"+id+"/view" {
				w.Fatalf("%+v, %v", f, err)
			}
			sum := sha256.Sum256([]byte("hello"))
			files := w.Files(ada)
			if len(files) != 1 || string(files[0].Content) != "hello" || files[0].SHA256 != hex.EncodeToString(sum[:]) || files[0].Client != "app-1" || files[0].Description != "d" {
				w.Errorf("%+v", files)
			}
			got, err := svc.Files.Get(id).Fields("name", "webViewLink").Do()
			if err != nil || got.Name != "notes.txt" || got.WebViewLink != f.WebViewLink || got.Id != "" {
				w.Errorf("%+v, %v", got, err)
			}
		},
		"answers kind, id, name and mimeType only, unless asked for more": func(w *world) {
			f, err := w.drive("", driveFile).Files.Create(&drive.File{Name: "a"}).Media(strings.NewReader("x"), googleapi.ChunkSize(0)).Do()
			if err != nil || f.Id == "" || f.Name != "a" || f.MimeType == "" || f.Kind != "drive#file" || f.WebViewLink != "" || f.Size != 0 {
				w.Errorf("%+v, %v", f, err)
			}
		},
		"streams 32 MiB and keeps the first 64 KiB": func(w *world) {
			content := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
			_, err := w.drive("", driveFile).Files.Create(&drive.File{Name: "big"}).Media(bytes.NewReader(content), googleapi.ChunkSize(0)).Do()
			if err != nil {
				w.Fatal(err)
			}
			sum := sha256.Sum256(content)
			f := w.Files(ada)[0]
			if f.Size != 32<<20 || f.SHA256 != hex.EncodeToString(sum[:]) || !bytes.Equal(f.Content, content[:keptContent]) {
				w.Errorf("%d bytes, %d kept, %s", f.Size, len(f.Content), f.SHA256)
			}
		},
		"makes an empty file and one without a name": func(w *world) {
			if _, err := w.drive("", driveFile).Files.Create(&drive.File{}).Media(strings.NewReader(""), googleapi.ChunkSize(0)).Do(); err != nil {
				w.Fatal(err)
			}
			if f := w.Files(ada)[0]; f.Name != "Untitled" || f.Size != 0 {
				w.Errorf("%+v", f)
			}
		},
		"makes a file of metadata alone": func(w *world) {
			f, err := w.drive("", driveFile).Files.Create(&drive.File{Name: "Folder", MimeType: "application/vnd.google-apps.folder"}).Do()
			if err != nil || f.MimeType != "application/vnd.google-apps.folder" {
				w.Errorf("%+v, %v", f, err)
			}
		},
		"refuses an id for the second time": func(w *world) {
			svc := w.drive("", driveFile)
			id := w.fileID(svc)
			for i := range 2 {
				_, err := svc.Files.Create(&drive.File{Id: id}).Media(strings.NewReader("x"), googleapi.ChunkSize(0)).Do()
				if i == 0 && err != nil {
					w.Fatal(err)
				} else if i == 1 {
					wantFault(w.T, err, 409, "fileIdInUse")
				}
			}
			if len(w.Files(ada)) != 1 {
				w.Errorf("%d files", len(w.Files(ada)))
			}
		},
		"lets one of twenty simultaneous uses of an id win": func(w *world) {
			svc := w.drive("", driveFile)
			id := w.fileID(svc)
			var wins atomic.Int32
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if _, err := svc.Files.Create(&drive.File{Id: id}).Media(strings.NewReader("x"), googleapi.ChunkSize(0)).Do(); err == nil {
						wins.Add(1)
					}
				})
			}
			all.Wait()
			if wins.Load() != 1 {
				w.Errorf("%d won", wins.Load())
			}
		},
		"refuses a generated id for a Google document and for a conversion to one": func(w *world) {
			svc := w.drive("", driveFile)
			for _, kind := range []string{"document", "spreadsheet", "presentation", "form", "shortcut"} {
				_, err := svc.Files.Create(&drive.File{Id: w.fileID(svc), MimeType: "application/vnd.google-apps." + kind}).Do()
				wantFault(w.T, err, 400, "generatedIdNotSupported")
			}
			converted := &drive.File{Id: w.fileID(svc), MimeType: "application/vnd.google-apps.document"}
			_, err := svc.Files.Create(converted).Media(strings.NewReader("x"), googleapi.ChunkSize(0), googleapi.ContentType("text/plain")).Do()
			wantFault(w.T, err, 400, "generatedIdNotSupported")
			for _, kind := range []string{"folder", "drive-sdk.1234"} {
				if _, err := svc.Files.Create(&drive.File{Id: w.fileID(svc), MimeType: "application/vnd.google-apps." + kind}).Do(); err != nil {
					w.Errorf("%s: %v", kind, err)
				}
			}
			if _, err := svc.Files.Create(&drive.File{MimeType: "application/vnd.google-apps.document"}).Do(); err != nil {
				w.Errorf("a document without an id: %v", err)
			}
		},
		"answers a file in the trash as trashed until it is deleted, and never gives its id away": func(w *world) {
			svc := w.drive("", driveFile)
			id := w.fileID(svc)
			if _, err := svc.Files.Create(&drive.File{Id: id}).Do(); err != nil {
				w.Fatal(err)
			}
			trashed := func() bool {
				f, err := svc.Files.Get(id).Fields("id,trashed").Do()
				if err != nil {
					w.Fatal(err)
				}
				return f.Trashed
			}
			if trashed() {
				w.Error("trashed from the start")
			}
			if w.TrashFile(ada, id); !trashed() || !w.Files(ada)[0].Trashed {
				w.Error("not trashed")
			}
			_, err := svc.Files.Create(&drive.File{Id: id}).Do()
			wantFault(w.T, err, 409, "fileIdInUse")
			w.DeleteFile(ada, id)
			_, err = svc.Files.Get(id).Do()
			wantFault(w.T, err, 404, "notFound")
			_, err = svc.Files.Create(&drive.File{Id: id}).Do()
			wantFault(w.T, err, 409, "fileIdInUse")
		},
		"refuses an id that was not generated": func(w *world) {
			_, err := w.drive("", driveFile).Files.Create(&drive.File{Id: "1mine"}).Do()
			wantFault(w.T, err, 400, "invalid")
		},
		"refuses an id that was generated for another user": func(w *world) {
			id := w.fileID(w.drive(grace, driveFile))
			_, err := w.drive(ada, driveFile).Files.Create(&drive.File{Id: id}).Do()
			wantFault(w.T, err, 400, "invalid")
		},
		"hides another user's file": func(w *world) {
			f, err := w.drive(grace, driveFile).Files.Create(&drive.File{Name: "hers"}).Do()
			if err != nil {
				w.Fatal(err)
			}
			_, err = w.drive(ada, scopePrefix+"drive").Files.Get(f.Id).Do()
			wantFault(w.T, err, 404, "notFound")
		},
		"shows another client's file to drive and hides it from drive.file": func(w *world) {
			_, tokens := w.exchange(w.code("", driveFile, "client_id", "app-2"), "client_id", "app-2", "client_secret", "secret-2")
			req, err := http.NewRequest("POST", w.url+"/drive/v3/files", strings.NewReader(`{"name":"theirs"}`))
			if err != nil {
				w.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				w.Fatal(err)
			}
			id, _ := decode(w.T, resp)["id"].(string)
			_, err = w.drive("", driveFile).Files.Get(id).Do()
			wantFault(w.T, err, 404, "notFound")
			if _, err := w.drive("", scopePrefix+"drive.readonly").Files.Get(id).Do(); err != nil {
				w.Error(err)
			}
		},
		"generates ten ids by default and a thousand at most": func(w *world) {
			svc := w.drive("", driveFile)
			ids, err := svc.Files.GenerateIds().Do()
			if err != nil || len(ids.Ids) != 10 || ids.Space != "drive" || len(slices.Compact(slices.Sorted(slices.Values(ids.Ids)))) != 10 {
				w.Errorf("%+v, %v", ids, err)
			}
			for _, count := range []int64{0, 1001} {
				_, err := svc.Files.GenerateIds().Count(count).Do()
				wantFault(w.T, err, 400, "invalidParameter")
			}
		},
	})
}

func TestUploadRefuses(t *testing.T) {
	const related, metadata = "multipart/related; boundary=b", "--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"n\"}\r\n"
	const content = "--b\r\nContent-Type: text/plain\r\n\r\nhello"
	for name, tt := range map[string]struct{ query, contentType, body string }{
		"uploadType media":                     {"?uploadType=media", "text/plain", "hello"},
		"uploadType resumable":                 {"?uploadType=resumable", "application/json", "{}"},
		"no uploadType":                        {"", related, metadata + content + "\r\n--b--"},
		"another content type":                 {"?uploadType=multipart", "multipart/form-data; boundary=b", metadata + content + "\r\n--b--"},
		"no boundary":                          {"?uploadType=multipart", "multipart/related", metadata + content + "\r\n--b--"},
		"a first part that is not JSON":        {"?uploadType=multipart", related, content + "\r\n" + metadata + "--b--"},
		"broken metadata":                      {"?uploadType=multipart", related, "--b\r\nContent-Type: application/json\r\n\r\n{\r\n" + content + "\r\n--b--"},
		"no content":                           {"?uploadType=multipart", related, metadata + "--b--"},
		"content without the closing boundary": {"?uploadType=multipart", related, metadata + content},
		"a third part":                         {"?uploadType=multipart", related, metadata + content + "\r\n" + content + "\r\n--b--"},
		"an empty body":                        {"?uploadType=multipart", related, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if status, body := w.upload(tt.query, tt.contentType, tt.body); status != 400 || body["error"] == nil {
				t.Errorf("%d %v", status, body)
			}
			if files := w.Files(ada); len(files) != 0 {
				t.Errorf("made %+v", files)
			}
		})
	}
	t.Run("a token without scope, after reading a large body to its end", func(t *testing.T) {
		w := newWorld(t)
		_, err := w.drive("", gmailLabels).Files.Create(&drive.File{}).Media(io.LimitReader(zeros{}, 20<<20), googleapi.ChunkSize(0)).Do()
		wantFault(t, err, 403, "insufficientPermissions")
	})
	t.Run("nothing of what is well formed", func(t *testing.T) {
		w := newWorld(t)
		if status, body := w.upload("?uploadType=multipart", related, metadata+content+"\r\n--b--\r\n"); status != 200 {
			t.Errorf("%d %v", status, body)
		}
		if f := w.Files(ada)[0]; f.MimeType != "text/plain" || string(f.Content) != "hello" {
			t.Errorf("%+v", f)
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
