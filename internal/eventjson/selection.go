package eventjson

// A Selection says which members of an object are wanted. What is not wanted is
// checked like everything else, but nothing is made of it. A nil *Selection wants
// everything.
//
// Members are looked up by going through them: a Selection is for a handful.
type Selection struct {
	members []selected
}

type selected struct {
	name string
	what *Selection
}

// Add makes name a wanted member, and what the selection of its own members should
// it be an object; nil wants it as a whole. A member that is there already keeps
// its place and gets the new selection.
func (s *Selection) Add(name string, what *Selection) {
	for i := range s.members {
		if s.members[i].name == name {
			s.members[i].what = what
			return
		}
	}
	s.members = append(s.members, selected{name, what})
}

// Union returns a selection of what s and t want, of which nil wants everything.
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

// Len returns how many members s wants, those of members included.
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

// find returns the place of a member, or -1.
func (s *Selection) find(name []byte) int {
	for i := range s.members {
		if s.members[i].name == string(name) {
			return i
		}
	}
	return -1
}

// DecodeSelected is Decode for a value of which only a part is wanted: if it is an
// object, it has only the members that sel wants, and so on down; anything else
// that stands where sel wants members of an object is decoded as a whole. The
// verdict and the error are those of Decode.
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

// skip passes over the value at i, white space before it included.
func (d *Decoder) skip(i, depth int) int {
	i, _ = scanValue(d.b, i, depth)
	return i
}
