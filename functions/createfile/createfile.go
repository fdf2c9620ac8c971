// Package createfile puts a text or a file into the signed-in user's Drive.
package createfile

import (
	_ "embed"
	"io"
	"net/http"

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
	if r.Method == http.MethodPost {
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
	if !u.held {
		// A body that streams can be sent only once. Asking for the file first absorbs an expired
		// token, and finds what an earlier attempt created.
		made, err := get(r, files, u.id)
		if err == nil {
			return createdPage.View(made), nil
		}
		if !httpfunc.IsStatus(err, http.StatusNotFound) {
			return nil, err
		}
	}
	made, err := u.send(r, files)
	if httpfunc.IsStatus(err, http.StatusConflict) {
		made, err = get(r, files, u.id)
	}
	switch {
	case httpfunc.IsStatus(err, http.StatusBadRequest), httpfunc.IsStatus(err, http.StatusNotFound): // 404: used, but by no file that we may see
		return nil, &httpfunc.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err,
			Message: "Google Drive does not take this name, MIME type or id. Open the form again for a new id."}
	case err != nil:
		return nil, err
	}
	return createdPage.View(made), nil
}

func service(r *http.Request, client *http.Client) (*drive.FilesService, error) {
	whole := *client
	whole.Transport = wholeBodies{client.Transport}
	svc, err := drive.NewService(r.Context(), option.WithHTTPClient(&whole))
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
	if res == nil || len(res.Ids) != 1 || res.Ids[0] == "" {
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
	if f == nil || f.Id == "" { // a success that names no file is none
		return nil, io.ErrUnexpectedEOF
	}
	return &file{ID: f.Id, Link: f.WebViewLink, Name: f.Name}, nil
}
