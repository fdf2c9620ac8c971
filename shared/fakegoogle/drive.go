package fakegoogle

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	driveCreate = endpoint{
		service: "drive.googleapis.com", method: "google.apps.drive.v3.DriveFiles.Create",
		scopes: scopesOf("drive", "drive.file"), fields: driveDefaultFields,
	}
	driveGet = endpoint{
		service: "drive.googleapis.com", method: "google.apps.drive.v3.DriveFiles.Get",
		scopes: scopesOf("drive", "drive.file", "drive.readonly", "drive.metadata", "drive.metadata.readonly"), fields: driveDefaultFields,
	}
	driveGenerateIDs = endpoint{
		service: "drive.googleapis.com", method: "google.apps.drive.v3.DriveFiles.GenerateIds",
		scopes: scopesOf("drive", "drive.file"),
	}
)

// driveDefaultFields are the fields of a file that Drive v3 returns when a request names none.
const driveDefaultFields = "kind,id,name,mimeType"

// A File is a file in a user's Drive.
type File struct {
	ID, Name, MimeType string
	Description        string
	Size               int64
	SHA256             string // hex, of the whole content
	Content            []byte // its first 64 KiB
	Client             string // the OAuth client that made it
	Trashed            bool   // in the trash; files.get still returns it
	created            time.Time
	link               string
}

// Link returns the address of the file's page: on this server, if it knew its public URL when the file was made, or else
// at Google.
func (f File) Link() string { return f.link }

func (f *File) resource() map[string]any {
	return map[string]any{
		"kind": "drive#file", "id": f.ID, "name": f.Name, "mimeType": f.MimeType, "description": f.Description,
		"size": strconv.FormatInt(f.Size, 10), "sha256Checksum": f.SHA256, "webViewLink": f.Link(),
		"createdTime": f.created.UTC().Format("2006-01-02T15:04:05.000Z"), "trashed": f.Trashed,
	}
}

// Files returns the files of the user with that subject, oldest first.
func (s *Server) Files(sub string) []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []File
	if a := s.account(sub); a != nil {
		for _, f := range a.files {
			file := *f
			file.Content = slices.Clone(f.Content)
			files = append(files, file)
		}
	}
	return files
}

// generateIDs serves files.generateIds. The ids are valid for this user only.
func (s *Server) generateIDs(c *call) (map[string]any, *apiError) {
	q := c.r.URL.Query()
	count := 10
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return nil, apiErrorf(http.StatusBadRequest, "invalidParameter", "Invalid value '%s'. Values must be within the range: [1, 1000]", text).at("parameter", "count")
		}
		count = n
	}
	if space := q.Get("space"); space != "" && space != "drive" {
		return nil, apiErrorf(http.StatusBadRequest, "invalidParameter", "Only space=drive is served here.").at("parameter", "space")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]any, count)
	for i := range ids {
		id := newFileID()
		c.who.fileIDs[id] = false
		ids[i] = id
	}
	return map[string]any{"kind": "drive#generatedIds", "space": "drive", "ids": ids}, nil
}

// newFileID returns an id in Google's form: 33 characters, of which the first is 1.
func newFileID() string {
	var b [24]byte
	rand.Read(b[:])
	return "1" + base64.RawURLEncoding.EncodeToString(b[:])
}

// getFile serves files.get. With the scope drive.file a client sees only the files that it made itself.
func (s *Server) getFile(c *call) (map[string]any, *apiError) {
	id := c.r.PathValue("id")
	s.mu.Lock()
	defer s.mu.Unlock()
	all := c.has("drive") || c.has("drive.readonly") || c.has("drive.metadata") || c.has("drive.metadata.readonly")
	for _, f := range c.who.files {
		if f.ID == id && (all || f.Client == c.client) {
			return f.resource(), nil
		}
	}
	return nil, apiErrorf(http.StatusNotFound, "notFound", "File not found: %s.", id).at("parameter", "fileId")
}

// saveFile puts a file into the caller's Drive, under the id that was asked for or a new one.
func (s *Server) saveFile(c *call, f *File) (map[string]any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ID != "" && !takesGeneratedID(f.MimeType) {
		return nil, apiErrorf(http.StatusBadRequest, "generatedIdNotSupported", "Pre-generated IDs are not supported for the type %s.", f.MimeType).at("other", "file.id")
	}
	if f.ID == "" {
		f.ID = newFileID()
	} else if used, generated := c.who.fileIDs[f.ID]; used {
		return nil, apiErrorf(http.StatusConflict, "fileIdInUse", "A file already exists with the provided ID.").at("other", "file.id")
	} else if !generated {
		return nil, apiErrorf(http.StatusBadRequest, "invalid", "The provided file ID is not usable.").at("other", "file.id")
	}
	if f.Name == "" {
		f.Name = "Untitled"
	}
	f.Client, f.created = c.client, s.now()
	f.link = s.inBrowsers("https://drive.google.com/file/d/" + f.ID + "/view")
	c.who.fileIDs[f.ID] = true
	c.who.files = append(c.who.files, f)
	return f.resource(), nil
}

// takesGeneratedID reports whether a file of that type may get an id of files.generateIds. Google documents
// and what is converted to one may not, folders and shortcuts of third parties may [Drive API: create and
// manage files].
func takesGeneratedID(mimeType string) bool {
	kind, google := strings.CutPrefix(mimeType, "application/vnd.google-apps.")
	return !google || kind == "folder" || strings.HasPrefix(kind, "drive-sdk")
}

// TrashFile moves a file into the trash of the user with that subject. files.get still returns it, as trashed.
func (s *Server) TrashFile(sub, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		for _, f := range a.files {
			if f.ID == id {
				f.Trashed = true
			}
		}
	}
}

// DeleteFile deletes a file of the user with that subject for good, as emptying the trash does. Its id stays taken.
func (s *Server) DeleteFile(sub, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		a.files = slices.DeleteFunc(a.files, func(f *File) bool { return f.ID == id })
	}
}
