// Package createfile puts a text or a file into the signed-in user's Drive.
package createfile

import (
	_ "embed"
	"net/http"
	"net/url"
	"time"

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

	formPage    = httpfunc.NewPage("", formHTML)
	createdPage = httpfunc.NewPage("Your file is in your Drive", createdHTML)
)

func init() {
	httpfunc.ForUser(httpfunc.Function{
		Name:       "createfile",
		Title:      "Create a file",
		API:        "drive.googleapis.com",
		Permission: "create files in your Drive, and see those that it created",
		Scopes:     httpfunc.Scopes{{drive.DriveFileScope, drive.DriveScope}},
		Get:        form,
		Post:       create,
		Form:       formPage,
		Text:       2 << 20,
		File:       true,
		Memory:     "512Mi",
		Timeout:    10 * time.Minute,
	})
}

// form shows the form, filled in with the fields of the query; or, with made=ID in the query, the file that was created.
func form(c *httpfunc.Call) (*httpfunc.View, error) {
	files, err := service(c)
	if err != nil {
		return nil, err
	}
	if id := c.Form.Get("made"); id != "" {
		made, err := get(c, files, id)
		if httpfunc.IsStatus(err, http.StatusNotFound) {
			return nil, httpfunc.Invalid("This file was created before, and deleted since. Open the form anew to create another.")
		}
		return show(made, err)
	}
	id, err := newID(c, files)
	if err != nil {
		return nil, err
	}
	fields := httpfunc.Fields{Values: url.Values{"id": {id}}}
	for _, name := range []string{"name", "content"} {
		if given, ok := c.Form.Values[name]; ok {
			fields.Values[name] = given
		}
	}
	return formPage.View(fields), nil
}

// file is what is shown of the file.
type file struct {
	ID   string `json:"id"`
	Link string `json:"link"`
	Name string `json:"name"`
}

// create puts the form's file into Drive. A repeat shows the file that the first one created.
func create(c *httpfunc.Call) (*httpfunc.View, error) {
	u, err := readUpload(c.Form)
	if err != nil {
		return nil, err
	}
	files, err := service(c)
	if err != nil {
		return nil, err
	}
	if u.id == "" {
		if u.id, err = newID(c, files); err != nil {
			return nil, err
		}
	}
	if !u.held {
		// A body that is not held can be sent only once. So the file is asked for first: that renews an
		// expired token, and finds the file if an earlier attempt created it.
		if made, err := get(c, files, u.id); !httpfunc.IsStatus(err, http.StatusNotFound) {
			return show(made, err)
		}
	}
	made, err := u.send(c, files)
	if httpfunc.IsStatus(err, http.StatusConflict) {
		made, err = get(c, files, u.id)
	}
	if httpfunc.IsStatus(err, http.StatusBadRequest) || httpfunc.IsStatus(err, http.StatusNotFound) { // 404: the id is of a file that we may not see
		return nil, &httpfunc.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err,
			Message: "Google Drive does not take this name, MIME type or id. Open the form again for a new id."}
	}
	return show(made, err)
}

// service returns the files of the user's Drive.
func service(c *httpfunc.Call) (*drive.FilesService, error) {
	whole := *c.Client
	whole.Transport = wholeBodies{c.Client.Transport}
	svc, err := drive.NewService(c.Context(), option.WithHTTPClient(&whole))
	if err != nil {
		return nil, err
	}
	return svc.Files, nil
}

// newID asks Drive for an id, under which a file can be created once.
func newID(c *httpfunc.Call, files *drive.FilesService) (string, error) {
	res, err := files.GenerateIds().Count(1).Fields("ids").Context(c.Context()).Do()
	if err != nil {
		return "", err
	}
	if len(res.Ids) != 1 || res.Ids[0] == "" {
		return "", httpfunc.ErrBadAnswer
	}
	return res.Ids[0], nil
}

// shown are the fields of a file that are asked for.
const shown googleapi.Field = "id,name,webViewLink,trashed"

func get(c *httpfunc.Call, files *drive.FilesService, id string) (*drive.File, error) {
	return files.Get(id).Fields(shown).Context(c.Context()).Do()
}

func show(f *drive.File, err error) (*httpfunc.View, error) {
	switch {
	case err != nil:
		return nil, err
	case f.Id == "": // a success without a file makes no sense
		return nil, httpfunc.ErrBadAnswer
	case f.Trashed:
		return nil, httpfunc.Invalid("This file was created before, and is in the trash now. Open the form anew to create another.")
	}
	return createdPage.View(file{ID: f.Id, Link: f.WebViewLink, Name: f.Name}).At("made", f.Id), nil
}
