package eventjson

// A Selection selects members of an object. Other members are checked, but not decoded.
// A nil *Selection selects everything.
//
// Members are looked up linearly: a Selection is for few members.
type Selection struct {
	members []selected
}

type selected struct {
	name string
	what *Selection
}

// Add selects the member name, and with what the selection of its own members if it is
// an object; nil selects all of it. For a member that has been added already, it
// replaces the selection.
func (s *Selection) Add(name string, what *Selection) {
	for i := range s.members {
		if s.members[i].name == name {
			s.members[i].what = what
			return
		}
	}
	s.members = append(s.members, selected{name, what})
}

// Union returns the union of s and t, of which nil selects everything.
func (s *Selection) Union(t *Selection) *Selection {
	if s == nil || t == nil {
		return nil
	}
	u := &Selection{}
	for _, m := range s.members {
		u.Add(m.name, m.what)
	}
	for _, m := range t.members {
		if i := u.find([]byte(m.name)); i >= 0 {
			m.what = u.members[i].what.Union(m.what)
		}
		u.Add(m.name, m.what)
	}
	return u
}

// Len returns how many members s selects, including nested ones.
func (s *Selection) Len() int {
	if s == nil {
		return 0
	}
	n := len(s.members)
	for _, m := range s.members {
		n += m.what.Len()
	}
	return n
}

// find returns the index of a member, or -1.
func (s *Selection) find(name []byte) int {
	for i := range s.members {
		if s.members[i].name == string(name) {
			return i
		}
	}
	return -1
}

// DecodeSelected is Decode for a part of a value: objects have only the members that
// sel selects, at all levels; any other value is decoded completely. The errors are
// those of Decode.
func (d *Decoder) DecodeSelected(b []byte, sel *Selection) (any, error) {
	v, i := d.document(b, sel)
	if i < 0 {
		if d.taken > d.most {
			d.members, d.elements, d.text = nil, nil, nil
			return nil, ErrTooLarge
		}
		if sel != nil {
			return d.Decode(b) // for its error
		}
		return nil, syntaxError(b, ^i, d.deep)
	}
	return v, nil
}

// skip skips the value at i, with white space before it.
func (d *Decoder) skip(i, depth int) int {
	i, _ = scanValue(d.b, i, depth)
	return i
}
