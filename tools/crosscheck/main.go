// Crosscheck type-checks the packages of a module and their tests for other systems:
//
//	crosscheck -root FOLDER GOOS...
//
// It reads everything from source. "go vet" and "go build" would first compile the
// standard library for each of these systems, which takes ten times as long.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	root := flag.String("root", ".", "root folder of the module")
	flag.Parse()
	failed := flag.NArg() == 0
	if failed {
		fmt.Fprintln(os.Stderr, "usage: crosscheck [-root FOLDER] GOOS...")
	}
	for _, system := range flag.Args() {
		problems, err := check(*root, system)
		if err != nil {
			problems = append(problems, err.Error())
		}
		for _, problem := range problems {
			fmt.Fprintf(os.Stderr, "GOOS=%s: %s\n", system, problem)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check returns the errors of the packages of a module on a system.
func check(root, system string) (problems []string, err error) {
	folder, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	all, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedTypes |
			packages.NeedSyntax | packages.NeedTypesInfo,
		Dir:   folder,
		Env:   append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"),
		Tests: true,
		ParseFile: func(files *token.FileSet, name string, source []byte) (*ast.File, error) {
			f, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution|parser.ParseComments)
			if f != nil && !within(name, folder) {
				forget(f)
			}
			return f, err
		},
	}, "./...")
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no packages in %s", folder)
	}
	seen := make(map[string]bool) // packages come again with their tests
	packages.Visit(all, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			if !seen[e.Error()] && (e.Kind != packages.TypeError || within(e.Pos, folder)) {
				seen[e.Error()] = true
				problems = append(problems, e.Error())
			}
		}
	})
	return problems, nil
}

// within reports whether a file is in folder, or below it. Another folder may have a
// name that begins in the same way.
func within(file, folder string) bool {
	return strings.HasPrefix(file, folder+string(filepath.Separator))
}

// forget removes the bodies of functions, which need not be checked in other modules.
func forget(f *ast.File) {
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			d.Body = nil
		}
	}
}
