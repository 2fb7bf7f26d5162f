//go:build unix

package commands

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

// browse is the browser of the scripts: it opens an address and follows redirects.
func browse(address string) int {
	resp, err := http.Get(address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, resp.Status, err)
		return 1
	}
	return 0
}
