package recipe

// Separator is what the service puts behind each message in a text frame; empty if a
// frame is a message.
func (r *Recipe) Separator() string { return r.connect.framing.separator }

// Texts reports whether messages are texts, even if they look like JSON.
func (r *Recipe) Texts() bool { return r.connect.framing.text }

// Param returns the parameter of a name.
func (r *Recipe) Param(name string) (p Param, ok bool) {
	for _, p := range r.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}
