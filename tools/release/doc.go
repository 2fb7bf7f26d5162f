// Package release contains the tests of .goreleaser.yaml and of the Dockerfile; its
// go.mod has the tools for "make dist".
package release
