// What "make mutants" needs: nothing but the go command.
module github.com/hark-cli/hark/tools/mutants

go 1.26.0
