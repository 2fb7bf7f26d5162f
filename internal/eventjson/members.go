package eventjson

// Members calls visit with the name and the value of each member of the JSON object in
// b, in their order, until visit returns false. The name is the text between the
// quotes, with escapes; the value is its text without white space around it. Both refer
// to b. Members returns whether b is an object by the rules of Valid, as far as it was
// read; visit may have been called for members before an error.
func Members(b []byte, visit func(name, value []byte) bool) bool {
	i, _ := skipSpace(b, 0, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	i, _ = skipSpace(b, i+1, 0)
	if i < len(b) && b[i] == '}' {
		i, _ = skipSpace(b, i+1, 0)
		return i == len(b)
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return false
		}
		start := i + 1
		if i = scanString(b, start); i < 0 {
			return false
		}
		name := b[start : i-1]
		i, _ = skipSpace(b, i, 0)
		if i >= len(b) || b[i] != ':' {
			return false
		}
		start, _ = skipSpace(b, i+1, 0)
		if i, _ = scanValue(b, start, 1); i < 0 {
			return false
		}
		if !visit(name, b[start:i]) {
			return true
		}
		i, _ = skipSpace(b, i, 0)
		switch {
		case i >= len(b):
			return false
		case b[i] == ',':
			i, _ = skipSpace(b, i+1, 0)
		case b[i] == '}':
			i, _ = skipSpace(b, i+1, 0)
			return i == len(b)
		default:
			return false
		}
	}
}

// Elements calls visit with each element of the JSON array in b, in their order, until
// visit returns false. The value is its text without white space around it, a part of
// b. Elements returns whether b is an array by the rules of Valid, as far as it was
// looked at.
func Elements(b []byte, visit func(value []byte) bool) bool {
	i, _ := skipSpace(b, 0, 0)
	if i >= len(b) || b[i] != '[' {
		return false
	}
	i, _ = skipSpace(b, i+1, 0)
	if i < len(b) && b[i] == ']' {
		i, _ = skipSpace(b, i+1, 0)
		return i == len(b)
	}
	for {
		start, _ := skipSpace(b, i, 0)
		if i, _ = scanValue(b, start, 1); i < 0 {
			return false
		}
		if !visit(b[start:i]) {
			return true
		}
		i, _ = skipSpace(b, i, 0)
		switch {
		case i >= len(b):
			return false
		case b[i] == ',':
			i++
		case b[i] == ']':
			i, _ = skipSpace(b, i+1, 0)
			return i == len(b)
		default:
			return false
		}
	}
}
