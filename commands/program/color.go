package program

// Colored reports whether to use color. The flag takes precedence over NO_COLOR
// (no-color.org), and that over CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors).
func (p *Program) Colored(flag string) bool {
	if flag != "auto" {
		return flag == "always"
	}
	variable := func(name string) string {
		v, _ := p.LookupEnv(name)
		return v
	}
	switch force := variable("CLICOLOR_FORCE"); {
	case variable("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return p.StdoutTerminal && variable("TERM") != "dumb" && variable("CLICOLOR") != "0"
}
