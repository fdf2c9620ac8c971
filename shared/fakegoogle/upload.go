package fakegoogle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// keptContent is how much of an uploaded file is kept, in bytes.
const keptContent = 64 << 10

// fileMetadata is the part of a Drive file that a client can set here.
type fileMetadata struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	MimeType    string `json:"mimeType"`
	Description string `json:"description"`
}

func (m fileMetadata) file() *File {
	return &File{ID: m.ID, Name: m.Name, MimeType: m.MimeType, Description: m.Description}
}

// createFile serves files.create without content.
func (s *Server) createFile(c *call) (map[string]any, *apiError) {
	var m fileMetadata
	if fault := readJSON(c.r.Body, &m); fault != nil {
		return nil, fault
	}
	f := m.file()
	f.MimeType = cmp.Or(f.MimeType, "application/octet-stream")
	f.SHA256 = hex.EncodeToString(sha256.New().Sum(nil))
	return s.saveFile(c, f)
}

// uploadFile serves files.create with metadata and content in one multipart/related body. The content is not held in
// memory. A body that ends early makes no file.
func (s *Server) uploadFile(c *call) (map[string]any, *apiError) {
	if kind := c.r.URL.Query().Get("uploadType"); kind != "multipart" {
		return nil, apiErrorf(http.StatusBadRequest, "badRequest", "uploadType=%s is not served here; send uploadType=multipart (in Go: googleapi.ChunkSize(0)).", kind).at("parameter", "uploadType")
	}
	mediaType, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/related" || params["boundary"] == "" {
		return nil, badContent("the Content-Type must be multipart/related with a boundary")
	}
	parts := multipart.NewReader(c.r.Body, params["boundary"])
	part, err := parts.NextRawPart()
	if err != nil {
		return nil, badContent("the first part is missing")
	}
	if kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind != "application/json" {
		return nil, badContent("the first part must be the metadata, application/json")
	}
	var m fileMetadata
	if fault := readJSON(part, &m); fault != nil {
		return nil, fault
	}
	f := m.file()
	if part, err = parts.NextRawPart(); err != nil {
		return nil, badContent("the second part is missing")
	}
	f.MimeType = cmp.Or(f.MimeType, part.Header.Get("Content-Type"), "application/octet-stream")
	if err := f.readContent(part); err != nil {
		return nil, badContent("the content ends early")
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		return nil, badContent("there must be two parts and a closing boundary")
	}
	if _, err := io.Copy(io.Discard, c.r.Body); err != nil {
		return nil, badContent("the request ends early")
	}
	return s.saveFile(c, f)
}

// readContent computes the checksum and the size of the content, and keeps its beginning.
func (f *File) readContent(r io.Reader) error {
	sum := sha256.New()
	tee := io.TeeReader(r, sum)
	head, err := io.ReadAll(io.LimitReader(tee, keptContent))
	if err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, tee)
	if err != nil {
		return err
	}
	f.Content, f.Size = head, int64(len(head))+rest
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

func badContent(why string) *apiError {
	return apiErrorf(http.StatusBadRequest, "badContent", "Malformed multipart body: %s.", why)
}
