package fakegoogle

import (
	"errors"
	"strings"
)

// A selection is a parsed fields parameter: for each name, what is selected below it. A nil selection selects
// everything, and "*" stands for every name.
type selection map[string]selection

var errFields = errors.New("invalid field selection")

// parseFields parses the syntax of partial responses, such as a,b/c,d(e,f/g),* [Google: partial responses]. An empty
// string selects everything.
func parseFields(fields string) (selection, error) {
	if fields == "" {
		return nil, nil
	}
	p := fieldParser{fields}
	sel, err := p.list()
	if err == nil && p.rest != "" {
		err = errFields
	}
	return sel, err
}

type fieldParser struct{ rest string }

// take skips prefix, and reports whether it came next.
func (p *fieldParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// list = field *("," field)
func (p *fieldParser) list() (selection, error) {
	sel := selection{}
	for {
		if err := p.field(sel); err != nil {
			return nil, err
		}
		if !p.take(",") {
			return sel, nil
		}
	}
}

// field = name ["(" list ")" / "/" field]
func (p *fieldParser) field(into selection) error {
	end := strings.IndexAny(p.rest, ",/()")
	if end < 0 {
		end = len(p.rest)
	}
	name := strings.TrimSpace(p.rest[:end])
	p.rest = p.rest[end:]
	if name == "" {
		return errFields
	}
	var below selection
	var err error
	switch {
	case p.take("("):
		if below, err = p.list(); err == nil && !p.take(")") {
			err = errFields
		}
	case p.take("/"):
		below = selection{}
		err = p.field(below)
	}
	into.add(name, below)
	return err
}

// add adds what is selected below a name. All of it includes every part.
func (sel selection) add(name string, below selection) {
	old, known := sel[name]
	if !known || below == nil {
		sel[name] = below
		return
	}
	if old == nil {
		return
	}
	for n, b := range below {
		old.add(n, b)
	}
}

// of returns the selected parts of v. A selection applies to each element of a list.
func (sel selection) of(v any) any {
	if sel == nil {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			below, ok := sel[name]
			if !ok {
				below, ok = sel["*"]
			}
			if ok {
				out[name] = below.of(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = sel.of(v[i])
		}
		return out
	}
	return v
}
