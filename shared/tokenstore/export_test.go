package tokenstore

// Marks tells how many used-once marks are kept.
func (m *Memory) Marks() int { return len(m.used) }

// Exported returns g without its version, for comparing.
func Exported(g *Grant) Grant {
	c := *g.Clone()
	c.version = Grant{}.version
	return c
}
