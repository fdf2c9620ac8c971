package tokenstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/encoding/protojson"

	"functions.local/oauth/shared/seal"
)

// A File is a Memory that is also kept in one file of this machine, so that a restart of the local
// runner signs nobody out. The file holds the keyset that seals its tokens as well: only its mode
// protects them.
//
// A change is in the file before its method returns. The whole file is written beside the old one and
// then takes its place, so that a process that is killed leaves the old file or the new one. A change
// that cannot be written is ErrUnavailable and is not made. Only one process at a time can use a file:
// the changes of a second one are ErrUnavailable.
type File struct {
	*Memory
	Keyset *seal.Keyset // the one in the file

	path    string
	written fs.FileInfo // of the file as this process last read or wrote it
}

var _ Store = (*File)(nil)

var errDamaged = errors.New("it is damaged")

// content is what the file holds. Documents have the names and the encoding that they would have in Firestore.
type content struct {
	Keyset    json.RawMessage            `json:"keyset"`
	Documents map[string]json.RawMessage `json:"documents"`
}

// OpenFile reads the store in the file, or makes the file with a new keyset where there is none. If
// anything in the file cannot be read, it returns an error and leaves the file as it is. It also
// refuses a file that other users can read, and does not mend its mode: its owner has to know that
// they may have read the tokens already.
func OpenFile(path string) (*File, error) {
	f := &File{Memory: NewMemory(), path: path}
	f.save = f.write
	b, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		if f.Keyset, err = seal.New(); err == nil {
			err = f.write()
		}
	} else if err == nil {
		err = f.load(b)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenstore: the store in %s: %w", path, err)
	}
	return f, nil
}

func (f *File) read() ([]byte, error) {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows": // which has no such modes
		return nil, fmt.Errorf("its mode %v lets other users of this machine read the tokens in it; if none did, take that right away (chmod 600) and start again", info.Mode())
	}
	f.written = info
	return os.ReadFile(f.path)
}

// load reads the content of the file. Its errors quote nothing of it but the names of documents.
func (f *File) load(b []byte) error {
	const mend = "; nothing was changed: restore a copy of the file, or move it away, and everybody signs in anew"
	var c content
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&c) != nil || d.Decode(&struct{}{}) != io.EOF {
		return errors.New("it is damaged, or of a newer version" + mend)
	}
	var err error
	if f.Keyset, err = seal.Parse(string(c.Keyset)); err != nil {
		return fmt.Errorf("its keyset: %w%s", err, mend)
	}
	for name, raw := range c.Documents {
		if err := f.add(name, raw); err != nil {
			return fmt.Errorf("%q: %w%s", name, err, mend)
		}
	}
	return nil
}

// add reads one document.
func (f *File) add(name string, raw []byte) error {
	doc := &pb.Document{}
	collection, id, _ := strings.Cut(name, "/")
	key, ok := keyOf(id)
	if !ok || protojson.Unmarshal(raw, doc) != nil {
		return errDamaged
	}
	var d decoder
	switch collection {
	case "grants":
		g, damaged, err := decodeWhole(f.Keyset, key, doc)
		if err != nil {
			return err
		}
		f.writes++
		g.version = time.Unix(f.writes, 0)
		f.grants[key] = g
		d.damaged = damaged
	case "flows":
		f.used[key] = d.time(doc.GetFields()["expires"])
	case "jobs":
		f.cursors[key] = d.text(doc.GetFields()["cursor"])
	default:
		return errors.New("it is of a newer version")
	}
	if d.damaged {
		return errDamaged
	}
	return nil
}

// write writes the store to the file. Callers hold f.mu.
func (f *File) write() error {
	b, err := f.marshal()
	if err != nil {
		return err
	}
	if err := f.swap(b); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// marshal returns the content of the file for what the store holds.
func (f *File) marshal() ([]byte, error) {
	c := content{Keyset: json.RawMessage(string(f.Keyset.JSON())), Documents: map[string]json.RawMessage{}}
	var err error
	add := func(collection, key string, fields map[string]*pb.Value) {
		b, failed := protojson.Marshal(&pb.Document{Fields: fields})
		c.Documents[collection+"/"+docID(key)] = b
		err = errors.Join(err, failed)
	}
	for owner, g := range f.grants {
		fields, failed := encode(f.Keyset, g)
		err = errors.Join(err, failed)
		add("grants", owner, fields)
	}
	for id, until := range f.used {
		add("flows", id, map[string]*pb.Value{"expires": timeValue(until)})
	}
	for job, cursor := range f.cursors {
		add("jobs", job, map[string]*pb.Value{"cursor": textValue(cursor)})
	}
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(c, "", "  ")
}

// swap puts a file with b in the place of the old one.
func (f *File) swap(b []byte) error {
	if f.written != nil {
		// Without this check, two processes with one file would undo each other's changes.
		now, err := os.Stat(f.path)
		if err != nil {
			return err
		}
		if !os.SameFile(now, f.written) || !now.ModTime().Equal(f.written.ModTime()) {
			return errors.New("another program has changed the file " + f.path)
		}
	}
	next := f.path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		return err
	}
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, f.path); err != nil {
		return err
	}
	if now, err := os.Stat(f.path); err == nil {
		f.written = now
	}
	return nil
}
