package tokenstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Memory is a Store in the memory of its process. A File also keeps it on disk.
type Memory struct {
	// Now is the clock by which used-once marks expire: time.Now, unless another one is set before the
	// first call.
	Now func() time.Time

	save func() error // called under mu after each change, to keep what the maps hold; nil: nothing is kept

	mu      sync.Mutex
	writes  int64 // counts writes of grants: the time of so many seconds is a grant's version
	grants  map[string]*Grant
	used    map[string]time.Time // id → until
	sweepAt int                  // the size of used at which expired marks are swept
	cursors map[string]string
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		Now:     time.Now,
		grants:  map[string]*Grant{},
		used:    map[string]time.Time{},
		sweepAt: minSweep,
		cursors: map[string]string{},
	}
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, owner string) (*Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.grants[owner]
	if !ok {
		return nil, ErrNotFound
	}
	return g.Clone(), nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, g *Grant) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var stored time.Time
	if old, ok := m.grants[g.Owner]; ok {
		stored = old.version
	}
	if !g.version.Equal(stored) {
		return ErrConflict
	}
	m.writes++
	written := g.Clone()
	written.version = time.Unix(m.writes, 0)
	if err := change(m, m.grants, g.Owner, func() { m.grants[g.Owner] = written }); err != nil {
		return err
	}
	g.version = written.version
	return nil
}

// change calls do, which changes what the map in, one of m's, holds for the key. If that cannot be saved,
// the change is undone.
func change[V any](m *Memory, in map[string]V, key string, do func()) error {
	old, had := in[key]
	do()
	if m.save == nil {
		return nil
	}
	err := m.save()
	if err != nil {
		delete(in, key)
		if had {
			in[key] = old
		}
	}
	return err
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, g *Grant) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch old, ok := m.grants[g.Owner]; {
	case !ok:
		return nil
	case !old.version.Equal(g.version):
		return ErrConflict
	}
	return change(m, m.grants, g.Owner, func() { delete(m.grants, g.Owner) })
}

// minSweep is how many marks there are at least before expired ones are removed.
const minSweep = 64

// UseOnce implements Store.
func (m *Memory) UseOnce(ctx context.Context, id string, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.used) >= m.sweepAt {
		now := m.Now()
		maps.DeleteFunc(m.used, func(_ string, until time.Time) bool { return until.Before(now) })
		m.sweepAt = max(minSweep, 2*len(m.used))
	}
	if _, ok := m.used[id]; ok {
		return ErrUsed
	}
	return change(m, m.used, id, func() { m.used[id] = until })
}

// ByJob implements Store.
func (m *Memory) ByJob(ctx context.Context, job, after string, limit int) ([]*Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var page []*Grant
	for _, owner := range slices.Sorted(maps.Keys(m.grants)) {
		if len(page) == limit {
			break
		}
		if g := m.grants[owner]; owner > after && g.HasJob(job) {
			page = append(page, g.Clone())
		}
	}
	return page, nil
}

// ByGoogle implements Store.
func (m *Memory) ByGoogle(ctx context.Context, subject string) ([]*Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*Grant
	for _, owner := range slices.Sorted(maps.Keys(m.grants)) {
		if g := m.grants[owner]; g.Account() == subject {
			all = append(all, g.Clone())
		}
	}
	return all, nil
}

// Cursor implements Store.
func (m *Memory) Cursor(ctx context.Context, job string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursors[job], nil
}

// SetCursor implements Store.
func (m *Memory) SetCursor(ctx context.Context, job, cursor string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return change(m, m.cursors, job, func() {
		m.cursors[job] = cursor
		if cursor == "" {
			delete(m.cursors, job)
		}
	})
}
