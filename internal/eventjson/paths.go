package eventjson

import "bytes"

// Paths are members of an object, and members of those, that are looked for in many
// documents. The document is looked through once, as Valid does, and nothing is made of
// it: what is found are places in it. Like a Selection, Paths are for a handful.
//
// The zero value looks for nothing. Paths are for one goroutine.
type Paths struct {
	nodes []pathNode // the first is the document
	name  []byte     // a name whose escapes are resolved
	b     []byte
	found []Span
	seen  spaceKind
}

type pathNode struct {
	children []pathChild
	lengths  uint64 // of their names, a bit for each, the highest for all others
	below    []int  // its children, and theirs
}

type pathChild struct {
	name string
	path int
}

// lengthBit is the bit of names of a length.
func lengthBit(n int) uint64 { return 1 << min(n, 63) }

// A Span is a value within a document.
type Span struct {
	// Kind is 0 when there is no such member.
	Kind       Kind
	Start, End int
}

// Root is the path of the document itself.
const Root = 0

// Add adds the member of that name of a path that was added before, or of Root, and
// returns the path of it. A path that is there already is not added again.
func (p *Paths) Add(parent int, name string) int {
	if len(p.nodes) == 0 {
		p.nodes = append(p.nodes, pathNode{})
	}
	for _, c := range p.nodes[parent].children {
		if c.name == name {
			return c.path
		}
	}
	id := len(p.nodes)
	p.nodes = append(p.nodes, pathNode{})
	n := &p.nodes[parent]
	n.children = append(n.children, pathChild{name, id})
	n.lengths |= lengthBit(len(name))
	for i := range p.nodes {
		p.nodes[i].below = nil
	}
	for i := range p.nodes {
		p.nodes[i].below = p.descendants(nil, i)
	}
	return id
}

func (p *Paths) descendants(all []int, n int) []int {
	for _, c := range p.nodes[n].children {
		all = p.descendants(append(all, c.path), c.path)
	}
	return all
}

// Len returns how many paths there are, the document included.
func (p *Paths) Len() int { return max(len(p.nodes), 1) }

// Find looks for all paths in b. It reports whether b is a JSON object by the rules of
// Valid, and whether a raw CR or LF occurs in it. The places that it found are those
// of Span until the next call.
func (p *Paths) Find(b []byte) (ok, breaks bool) {
	if len(p.nodes) == 0 {
		p.nodes = append(p.nodes, pathNode{})
	}
	if len(p.found) != len(p.nodes) {
		p.found = make([]Span, len(p.nodes))
	}
	clear(p.found)
	i, seen := skipSpace(b, 0, 0)
	if i >= len(b) || b[i] != '{' {
		return false, false
	}
	p.b, p.seen = b, seen
	end := p.object(i, 1, &p.nodes[Root])
	p.b = nil
	if end < 0 {
		return false, false
	}
	p.found[Root] = Span{KindObject, i, end}
	end, p.seen = skipSpace(b, end, p.seen)
	return end == len(b), p.seen&lineBreak != 0
}

// Span returns where a path was found.
func (p *Paths) Span(path int) Span { return p.found[path] }

// object scans the object at i, for which n was looked for. It returns the position
// behind it, or a negative number.
func (p *Paths) object(i, depth int, n *pathNode) int {
	b := p.b
	i++
	if uint(i) < uint(len(b)) && b[i] != '"' {
		i, p.seen = skipSpace(b, i, p.seen)
		if uint(i) < uint(len(b)) && b[i] == '}' {
			return i + 1
		}
	}
	for {
		if uint(i) >= uint(len(b)) || b[i] != '"' {
			return -1
		}
		start := i + 1
		if i = scanString(b, start); i < 0 {
			return -1
		}
		child := p.child(n, b[start:i-1])
		if uint(i) < uint(len(b)) && b[i] != ':' {
			i, p.seen = skipSpace(b, i, p.seen)
		}
		if uint(i) >= uint(len(b)) || b[i] != ':' {
			return -1
		}
		i++
		if uint(i) < uint(len(b)) && spaces[b[i]] != 0 {
			i, p.seen = skipSpace(b, i, p.seen)
		}
		if child == 0 {
			if i, p.seen = p.skip(i, depth); i < 0 {
				return -1
			}
		} else if i = p.value(i, depth, child); i < 0 {
			return -1
		}
		if uint(i) < uint(len(b)) && spaces[b[i]] != 0 {
			i, p.seen = skipSpace(b, i, p.seen)
		}
		if uint(i) >= uint(len(b)) {
			return -1
		}
		switch b[i] {
		case ',':
			i++
			if uint(i) < uint(len(b)) && b[i] != '"' {
				i, p.seen = skipSpace(b, i, p.seen)
			}
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// skip passes over the value at i.
func (p *Paths) skip(i, depth int) (end int, seen spaceKind) {
	b := p.b
	if uint(i) < uint(len(b)) && b[i] == '"' { // most are
		return scanString(b, i+1), p.seen
	}
	end, seen = scanValue(b, i, depth)
	return end, seen | p.seen
}

// value scans the value at i, which was looked for.
func (p *Paths) value(i, depth, id int) int {
	if uint(i) >= uint(len(p.b)) {
		return -1
	}
	n := &p.nodes[id]
	for _, below := range n.below { // of a member of that name that came before
		p.found[below] = Span{}
	}
	kind, end := kinds[p.b[i]], 0
	if kind == KindObject && len(n.children) > 0 {
		if depth == MaxDepth {
			return -1
		}
		end = p.object(i, depth+1, n)
	} else {
		end, p.seen = p.skip(i, depth)
	}
	if end >= 0 {
		p.found[id] = Span{kind, i, end}
	}
	return end
}

// child returns the path of the member of n whose name is t in the document, or 0.
func (p *Paths) child(n *pathNode, t []byte) int {
	if bytes.IndexByte(t, '\\') >= 0 {
		p.name = AppendUnescaped(p.name[:0], t)
		t = p.name
	}
	if n.lengths&lengthBit(len(t)) == 0 {
		return 0
	}
	for i := range n.children {
		if n.children[i].name == string(t) {
			return n.children[i].path
		}
	}
	return 0
}
