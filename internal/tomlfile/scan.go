package tomlfile

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// A scanner records the positions of the keys of a text that the library has parsed, so
// it is valid TOML: the scanner skips what it does not expect.
type scanner struct {
	text   string
	at     int // in text
	line   int // of at, from 1
	start  int // of that line in text
	found  map[string]Position
	values map[string]int // where the value of a key begins in text
	lists  map[string]int // how many elements a list of tables has, by its path
}

func (s *scanner) document() {
	var table []string
	for s.space(); s.at < len(s.text); s.space() {
		if s.text[s.at] == '[' {
			table = s.header()
			continue
		}
		before := s.at
		s.member(table)
		if s.at == before {
			s.at++
		}
	}
}

// header scans [a.b] or [[a.b]], and returns the path of its table.
func (s *scanner) header() []string {
	here := s.position()
	s.at++
	list := s.take('[')
	var table []string
	keys := s.keys()
	for i, key := range keys {
		table = append(table, key)
		s.note(table, here)
		n := s.lists[path(table)]
		if last := i == len(keys)-1; last && list {
			s.lists[path(table)] = n + 1
			table = append(table, strconv.Itoa(n))
			s.note(table, here)
		} else if n > 0 && !last { // a table within the last element
			table = append(table, strconv.Itoa(n-1))
		}
	}
	for s.take(']') {
	}
	return table
}

// member scans a key with its value, in a table.
func (s *scanner) member(table []string) {
	here := s.position()
	for _, key := range s.keys() {
		table = append(table[:len(table):len(table)], key)
		s.note(table, here)
	}
	s.blank()
	if s.take('=') {
		s.value(table)
	}
}

// value skips the value of a path, and records the keys in it.
func (s *scanner) value(table []string) {
	s.blank()
	if s.at >= len(s.text) {
		return
	}
	if _, known := s.values[path(table)]; !known {
		s.values[path(table)] = s.at
	}
	switch s.text[s.at] {
	case '"', '\'':
		s.quoted()
	case '[':
		s.at++
		for i := 0; s.more(']'); i++ {
			element := append(table[:len(table):len(table)], strconv.Itoa(i))
			s.note(element, s.position())
			s.value(element)
		}
	case '{':
		s.at++
		for s.more('}') {
			s.member(table)
		}
	default:
		if n := strings.IndexAny(s.text[s.at:], ",]}#\r\n"); n >= 0 {
			s.at += n
		} else {
			s.at = len(s.text)
		}
	}
}

// more reports whether there is another element before the end of a list or table, and
// skips that end.
func (s *scanner) more(end byte) bool {
	before := s.at
	for s.space(); s.take(','); s.space() {
	}
	if s.at >= len(s.text) || s.take(end) {
		return false
	}
	// There was a comma since the last element, or it is the first one.
	return s.at > before || strings.IndexByte("[{", s.text[before-1]) >= 0
}

// keys scans a dotted key.
func (s *scanner) keys() (all []string) {
	for {
		s.blank()
		name, from := "", s.at
		switch {
		case s.at >= len(s.text):
			return all
		case s.text[s.at] == '"' || s.text[s.at] == '\'':
			s.quoted()
			name = unquoted(s.text[from:s.at])
		default:
			for s.at < len(s.text) && bare(rune(s.text[s.at])) {
				s.at++
			}
			if name = s.text[from:s.at]; name == "" {
				return all
			}
		}
		all = append(all, name)
		if s.blank(); !s.take('.') {
			return all
		}
	}
}

// unquoted returns the text of a quoted key.
func unquoted(quoted string) string {
	var one map[string]int
	if _, err := toml.Decode(quoted+" = 1", &one); err == nil {
		for name := range one {
			return name
		}
	}
	return quoted
}

// quoted skips a string.
func (s *scanner) quoted() {
	quote := s.text[s.at : s.at+1]
	if strings.HasPrefix(s.text[s.at:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	for s.at += len(quote); s.at < len(s.text); {
		switch c := s.text[s.at]; {
		case strings.HasPrefix(s.text[s.at:], quote):
			s.at += len(quote)
			for len(quote) == 3 && s.take(quote[0]) { // of which two may be the last of the text
			}
			return
		case c == '\\' && quote[0] == '"' && s.at+1 < len(s.text) && s.text[s.at+1] != '\n':
			s.at += 2
		default:
			s.next()
		}
	}
}

// space skips white space, line feeds and comments.
func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
		default:
			return
		}
	}
}

// blank skips white space within a line.
func (s *scanner) blank() {
	for s.take(' ') || s.take('\t') {
	}
}

// next skips a byte.
func (s *scanner) next() {
	s.at++
	if s.text[s.at-1] == '\n' {
		s.line, s.start = s.line+1, s.at
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) position() Position {
	return Position{s.line, utf8.RuneCountInString(s.text[s.start:s.at]) + 1}
}

// note records the position of a path, unless it is known.
func (s *scanner) note(keys []string, at Position) {
	if _, known := s.found[path(keys)]; !known {
		s.found[path(keys)] = at
	}
}
