package httpfunc

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

// Faults are what is wrong with the fields of a form, in the form's order. A function that finds them adds
// all it finds and returns Err: the form comes back with each text beside its field.
type Faults []Fault

// A Fault is what is wrong with a field.
type Fault struct {
	Field string // its name
	Text  string // for the person: what is wrong and what to do
}

// Add adds a fault, unless the field has one already: people mend one thing in a field at a time.
func (f *Faults) Add(field, text string) {
	if f.of(field) == "" {
		*f = append(*f, Fault{field, text})
	}
}

// AddError adds an error of Invalid as the fault of a field; nil is none.
func (f *Faults) AddError(field string, err error) {
	var own *Error
	if errors.As(err, &own) {
		f.Add(field, own.Message)
	}
}

// Err returns nil where there are no faults, else an *Error that programs get as
// {"error":"invalid_request","message":"…","fields":{"title":"…"}}.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.Text
	}
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: strings.Join(texts, " "), Faults: f}
}

// of returns the text of a field's fault, or "".
func (f Faults) of(field string) string {
	if i := slices.IndexFunc(f, func(fault Fault) bool { return fault.Field == field }); i >= 0 {
		return f[i].Text
	}
	return ""
}

// byField returns the texts by field, or nil.
func (f Faults) byField() map[string]string {
	if len(f) == 0 {
		return nil
	}
	texts := make(map[string]string, len(f))
	for _, fault := range f {
		texts[fault.Field] = messageText(fault.Text)
	}
	return texts
}

// Field returns the attributes of a form's field: id and name, and where there is a fault what points to it.
// describedBy are ids of what else describes the field, such as a hint.
func (d *pageData) Field(name string, describedBy ...string) template.HTMLAttr {
	attributes := ""
	if d.faults.of(name) != "" {
		attributes = `aria-invalid="true" `
		describedBy = append([]string{name + "-fault"}, describedBy...)
		if d.faults[0].Field == name {
			attributes += "autofocus "
		}
	}
	if len(describedBy) > 0 {
		attributes += `aria-describedby="` + template.HTMLEscapeString(strings.Join(describedBy, " ")) + `" `
	}
	escaped := template.HTMLEscapeString(name)
	attributes += `id="` + escaped + `" name="` + escaped + `"`
	return template.HTMLAttr(attributes)
}

// Fault shows what is wrong with a field, if anything is. It belongs beside the field.
func (d *pageData) Fault(name string) template.HTML {
	text := d.faults.of(name)
	if text == "" {
		return ""
	}
	return template.HTML(`<p class="fault" id="`+template.HTMLEscapeString(name)+`-fault">`) + d.Message(text) + `</p>`
}
