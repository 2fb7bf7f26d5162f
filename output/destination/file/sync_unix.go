//go:build unix

package file

import "os"

// syncFolder has the name of a new file on the disk.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
