// Package createfile puts a text or a file into the signed-in user's Drive.
package createfile

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

var (
	//go:embed form.html
	formHTML string
	//go:embed created.html
	createdHTML string

	formPage    = httpfunc.NewPage("Create a file in your Drive", formHTML)
	createdPage = httpfunc.NewPage("Your file is in your Drive", createdHTML)
)

func init() {
	httpfunc.ForUser("createfile", httpfunc.Scopes{{drive.DriveFileScope, drive.DriveScope}}, form, httpfunc.Post(create))
}

// fields is the form. The id makes a repeat of it harmless.
type fields struct {
	ID      string `json:"id"`
	Name    string `json:"-"`
	Content string `json:"-"`
}

func form(r *http.Request, client *http.Client) (any, error) {
	f, err := httpfunc.ParseForm(r)
	if err != nil {
		return nil, err
	}
	v := fields{Name: f.Get("name"), Content: f.Get("content")}
	if r.Method == http.MethodPost && f.Get("id") != "" {
		v.ID = f.Get("id")
		return formPage.View(v), nil
	}
	files, err := service(r, client)
	if err != nil {
		return nil, err
	}
	v.ID, err = newID(r, files)
	return formPage.View(v), err
}

// file is what was created.
type file struct {
	ID   string `json:"id"`
	Link string `json:"link"`
	Name string `json:"name"`
}

func create(r *http.Request, client *http.Client) (any, error) {
	f, err := httpfunc.ParseForm(r)
	if err != nil {
		return nil, err
	}
	u, err := readUpload(f)
	if err != nil {
		return nil, err
	}
	files, err := service(r, client)
	if err != nil {
		return nil, err
	}
	if u.id == "" {
		if u.id, err = newID(r, files); err != nil {
			return nil, err
		}
	}
	if u.buffer == 0 {
		// A body that streams can be sent only once. Asking for the file first absorbs an expired
		// token, and finds what an earlier attempt created.
		made, err := get(r, files, u.id)
		if err == nil {
			return createdPage.View(made), nil
		}
		if !isStatus(err, http.StatusNotFound) {
			return nil, err
		}
	}
	made, err := u.send(r, files)
	if isStatus(err, http.StatusConflict) {
		made, err = get(r, files, u.id)
	}
	switch {
	case isStatus(err, http.StatusBadRequest), isStatus(err, http.StatusNotFound): // 404: used, but by no file that we may see
		return nil, &httpfunc.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err,
			Message: "Google Drive does not take this name, MIME type or id. Open the form again for a new id."}
	case err != nil:
		return nil, err
	}
	return createdPage.View(made), nil
}

func service(r *http.Request, client *http.Client) (*drive.FilesService, error) {
	svc, err := drive.NewService(r.Context(), option.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	return svc.Files, nil
}

func newID(r *http.Request, files *drive.FilesService) (string, error) {
	res, err := files.GenerateIds().Count(1).Fields("ids").Context(r.Context()).Do()
	if err != nil {
		return "", err
	}
	if len(res.Ids) != 1 {
		return "", io.ErrUnexpectedEOF
	}
	return res.Ids[0], nil
}

const made googleapi.Field = "id,name,webViewLink"

func get(r *http.Request, files *drive.FilesService, id string) (*file, error) {
	return result(files.Get(id).Fields(made).Context(r.Context()).Do())
}

func result(f *drive.File, err error) (*file, error) {
	if err != nil {
		return nil, err
	}
	return &file{ID: f.Id, Link: f.WebViewLink, Name: f.Name}, nil
}

func isStatus(err error, status int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == status
}

// An upload is what is to be created.
type upload struct {
	id, name, mimeType string
	content            *watched
	buffer             int // bytes that hold the whole content, so that it can be sent again; 0 when it streams
}

// maxHeld is up to which size, in bytes, the content is held.
const maxHeld = 1 << 20

// maxName and maxMIMEType are in bytes.
const (
	maxName     = 1024
	maxMIMEType = 255
)

// idPattern is what files.generateIds yields.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func readUpload(f *httpfunc.Form) (*upload, error) {
	u := &upload{id: f.Get("id"), name: strings.TrimSpace(f.Get("name")), mimeType: f.Get("mime_type")}
	content := io.Reader(strings.NewReader(f.Get("content")))
	if f.File != nil {
		content = f.File
		if u.name == "" {
			u.name = f.File.Name
		}
		if u.mimeType == "" {
			u.mimeType = f.File.Type
		}
	}
	if u.mimeType == "" {
		u.mimeType = "text/plain"
	}
	mediaType, params, err := mime.ParseMediaType(u.mimeType)
	u.mimeType = mime.FormatMediaType(mediaType, params) // it becomes a header: no line of the client's own
	switch {
	case u.name == "":
		return nil, httpfunc.Invalid("Give the file a name.")
	case len(u.name) > maxName:
		return nil, httpfunc.Invalid("The name is too long: it can have 1,024 bytes.")
	case u.id != "" && !idPattern.MatchString(u.id):
		return nil, httpfunc.Invalid("The id is not one that this function gave out. Open the form again for a new one.")
	case err != nil, u.mimeType == "", len(u.mimeType) > maxMIMEType:
		return nil, httpfunc.Invalid("The MIME type is malformed.")
	}
	head, err := io.ReadAll(io.LimitReader(content, maxHeld+1))
	if err != nil {
		return nil, err
	}
	u.content = &watched{Reader: bytes.NewReader(head)}
	if len(head) <= maxHeld {
		u.buffer = len(head) + 1 // the API client has to see the end
	} else {
		u.content.Reader = io.MultiReader(u.content.Reader, content)
	}
	return u, nil
}

func (u *upload) send(r *http.Request, files *drive.FilesService) (*file, error) {
	call := files.Create(&drive.File{Id: u.id, Name: u.name, MimeType: u.mimeType}).Fields(made).Context(r.Context())
	call.Header()["X-Idempotency-Key"] = nil // the id makes a repeat harmless
	f, err := result(call.Media(u.content, googleapi.ContentType(u.mimeType), googleapi.ChunkSize(u.buffer)).Do())
	if failed := u.content.stop(); failed != nil {
		return nil, failed // what ended the upload; the API client just quotes it
	}
	return f, err
}

// watched remembers why reading ended early. The API client may still be reading when its call has
// returned; after stop nobody is.
type watched struct {
	io.Reader
	mu      sync.Mutex
	err     error
	stopped bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return 0, io.ErrClosedPipe
	}
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func (w *watched) stop() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	return w.err
}
