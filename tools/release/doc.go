// Package release has the tests of .goreleaser.yaml and of the Dockerfile, and go.mod
// the tools that make a release: "make dist".
package release
