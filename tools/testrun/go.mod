// What "make test" needs: nothing but the go command.
module github.com/hark-cli/hark/tools/testrun

go 1.26.0
