package createfile

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/httpfunc"
)

// An upload is a file that is to be created.
type upload struct {
	id, name, mimeType string
	content            io.Reader
	held               bool // content is in memory as a whole, and can be sent again
}

const (
	maxName     = 1024 // bytes
	maxMIMEType = 255  // bytes
)

// idPattern matches the ids that files.generateIds returns.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

var errMIMEType = httpfunc.Invalid("The MIME type is malformed.")

// readUpload reads the file that the form describes. Its error tells the person what is wrong, and how to mend it.
func readUpload(f *httpfunc.Form) (*upload, error) {
	u := &upload{id: f.Get("id"), name: httpfunc.Trim(f.Get("name")), mimeType: f.Get("mime_type")}
	u.content, u.held = strings.NewReader(f.Get("content")), true
	if f.File != nil {
		u.content, u.held = f.File.Reader, f.File.Held
		u.name = cmp.Or(u.name, httpfunc.Trim(f.File.Name))
		u.mimeType = cmp.Or(u.mimeType, f.File.Type, "application/octet-stream")
	}
	u.mimeType = cmp.Or(u.mimeType, "text/plain")
	if len(u.mimeType) > maxMIMEType { // before it is read: each parameter makes several hundred bytes
		return nil, errMIMEType
	}
	mediaType, params, err := mime.ParseMediaType(u.mimeType)
	u.mimeType = mime.FormatMediaType(mediaType, params) // it becomes a header, into which the client must not write lines
	var faults httpfunc.Faults
	switch {
	case u.name == "":
		faults.Add("name", "Give the file a name.")
	case len(u.name) > maxName:
		faults.Add("name", "The name is too long: it can have 1,024 bytes.")
	}
	switch chosen := f.Get("chosen"); { // the file's name, where the form was shown again, which loses the file
	case f.File == nil && chosen != "" && f.Get("content") == "":
		faults.Add("file", "Choose "+httpfunc.Isolate(chosen)+" again, or write a text instead.")
	case f.File != nil && strings.TrimSpace(f.Get("content")) != "":
		faults.Add("content", "There is a text beside the file, and only one of them can be created. Empty the text, or choose no file.")
	}
	switch {
	case u.id != "" && !idPattern.MatchString(u.id):
		return nil, httpfunc.Invalid("The id is not one that this function gave out. Open the form again for a new one.")
	case strings.HasPrefix(mediaType, "application/vnd.google-apps.") && mediaType != "application/vnd.google-apps.folder":
		return nil, httpfunc.Invalid("Documents of Google's own kinds cannot be made here: Drive makes them without an id only, and a repeat would make one more. Send another MIME type.")
	case err != nil, u.mimeType == "", len(u.mimeType) > maxMIMEType:
		return nil, errMIMEType
	}
	return u, faults.Err()
}

// send creates the file. If the content cannot be read, it returns the error of that, and not the API client's.
func (u *upload) send(c *httpfunc.Call, files *drive.FilesService) (*drive.File, error) {
	ctx, broken := context.WithCancelCause(c.Context())
	defer broken(nil)
	content := u.content // held: a bytes.Reader or strings.Reader, which the API client can send again
	if !u.held {
		s := &source{content: u.content, broken: broken}
		defer s.stop()
		content = s
	}
	call := files.Create(&drive.File{Id: u.id, Name: u.name, MimeType: u.mimeType}).Fields(shown).Context(ctx)
	httpfunc.SafeToRepeat(call.Header()) // because of the id
	f, err := call.Media(content, googleapi.ContentType(u.mimeType), googleapi.ChunkSize(0)).Do()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return f, err
}

// A source is content that is read as it arrives. If it cannot be read, it ends the upload. The API client may go on
// reading after its call has returned; after stop it cannot.
type source struct {
	content io.Reader
	broken  context.CancelCauseFunc // ends the upload
	mu      sync.Mutex
	stopped bool
}

// Read fills p. A single read of the form returns 4 KiB, and the API client switches goroutines after each one.
func (s *source) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = s.read(p[n:])
		n += more
	}
	return n, err
}

func (s *source) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0, io.ErrClosedPipe
	}
	n, err := s.content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.broken(err)
	}
	return n, err
}

func (s *source) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

// wholeBodies lets a request's body fail once the request's context has ended. When the API client cannot read the
// content, it still ends the multipart body as usual, so that half a file would look like a whole one.
type wholeBodies struct{ next http.RoundTripper }

func (t wholeBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		r = r.Clone(r.Context())
		r.Body = wholeBody{r.Body, r.Context()}
	}
	return t.next.RoundTrip(r)
}

type wholeBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b wholeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if cause := context.Cause(b.ctx); cause != nil {
		return 0, cause
	}
	return n, err
}
