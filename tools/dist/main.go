// Dist builds what a release consists of: static binaries for eight systems, in
// archives with manual and completions, deb and rpm packages, a list of the modules
// inside (CycloneDX), and checksums. The same commit makes the same bytes.
//
//	go run . -root ../.. -out ../../dist [-only linux/amd64]
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

var systems = []string{"linux", "darwin", "windows", "freebsd"}
var machines = []string{"amd64", "arm64"}

func main() {
	log.SetFlags(0)
	root := flag.String("root", ".", "the `folder` of the repository")
	out := flag.String("out", "dist", "where to put the files, `folder`")
	only := flag.String("only", "", "only this `system/machine`")
	flag.Parse()
	d := &dist{root: *root, out: *out}
	if err := d.run(*only); err != nil {
		log.Fatal("dist: ", err)
	}
}

// A dist is one run.
type dist struct {
	root, out string
	version   string    // 1.2.3, or 0.0.0-… without a tag
	date      time.Time // of the commit, for all files
}

func (d *dist) run(only string) error {
	if err := d.identify(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	for _, system := range systems {
		for _, machine := range machines {
			if only == "" || only == system+"/"+machine {
				if err := d.target(system, machine); err != nil {
					return fmt.Errorf("%s/%s: %w", system, machine, err)
				}
			}
		}
	}
	return d.checksums()
}

// identify asks git for version and date.
func (d *dist) identify() error {
	d.version = "0.0.0"
	if tag, err := d.git("describe", "--tags", "--always", "--match", "v*"); err == nil {
		if v, ok := strings.CutPrefix(tag, "v"); ok {
			d.version = v
		} else {
			d.version += "-" + tag
		}
	}
	stamp, err := d.git("log", "-1", "--format=%cI")
	if err != nil {
		return err
	}
	d.date, err = time.Parse(time.RFC3339, stamp)
	d.date = d.date.UTC()
	return err
}

func (d *dist) git(args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", d.root}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// A file is one that goes into an archive or a package.
type file struct {
	name string // in the archive
	path string
	mode os.FileMode
}

func (d *dist) target(system, machine string) error {
	log.Printf("dist: %s/%s", system, machine)
	binary := filepath.Join(d.out, "hark-"+system+"-"+machine)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=",
		"-tags=urfave_cli_no_docs,urfave_cli_no_suggest", "-o", abs(binary), ".")
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+machine, "GOFLAGS=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	defer os.Remove(binary)
	name := "hark"
	if system == "windows" {
		name = "hark.exe"
	}
	content := []file{
		{name, binary, 0o755},
		{"LICENSE", filepath.Join(d.root, "LICENSE"), 0o644},
		{"README.md", filepath.Join(d.root, "README.md"), 0o644},
		{"hark.1", filepath.Join(d.root, "man", "hark.1"), 0o644},
		{"completions/hark.bash", filepath.Join(d.root, "completions", "hark.bash"), 0o644},
		{"completions/_hark", filepath.Join(d.root, "completions", "hark.zsh"), 0o644},
		{"completions/hark.fish", filepath.Join(d.root, "completions", "hark.fish"), 0o644},
		{"completions/hark.ps1", filepath.Join(d.root, "completions", "hark.ps1"), 0o644},
	}
	base := filepath.Join(d.out, fmt.Sprintf("hark-%s-%s-%s", d.version, system, machine))
	if err := d.sbom(binary, base+".cdx.json"); err != nil {
		return err
	}
	if system == "windows" {
		return d.zip(base+".zip", content)
	}
	if system == "linux" {
		for _, format := range []string{"deb", "rpm"} {
			if err := d.pack(format, machine, binary); err != nil {
				return fmt.Errorf("%s: %w", format, err)
			}
		}
	}
	return d.tar(base+".tar.gz", content)
}

func abs(path string) string {
	a, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return a
}

func (d *dist) tar(path string, content []file) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range content {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		h := &tar.Header{
			Name: "hark-" + d.version + "/" + f.name, Mode: int64(f.mode), Size: int64(len(data)),
			ModTime: d.date, Format: tar.FormatPAX, Typeflag: tar.TypeReg,
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func (d *dist) zip(path string, content []file) error {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range content {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: "hark-" + d.version + "/" + f.name, Method: zip.Deflate, Modified: d.date})
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// pack makes a package of a Linux distribution.
func (d *dist) pack(format, machine, binary string) error {
	at := func(source, target string, mode os.FileMode) *files.Content {
		return &files.Content{Source: source, Destination: target, FileInfo: &files.ContentFileInfo{Mode: mode, MTime: d.date}}
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{d.root}, parts...)...) }
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "hark", Arch: machine, Platform: "linux", Version: d.version, VersionSchema: "semver",
		Section: "net", Priority: "optional", License: "MIT", MTime: d.date,
		Maintainer:  "The hark authors <hark@example.com>",
		Homepage:    "https://github.com/hark-cli/hark",
		Description: "listen to event streams over WebSocket\nPrints the events of Octave, Drogue Cloud, Doshii and any other WebSocket\nas one JSON line each.",
		Overridables: nfpm.Overridables{Contents: files.Contents{
			at(binary, "/usr/bin/hark", 0o755),
			at(in("man", "hark.1"), "/usr/share/man/man1/hark.1", 0o644),
			at(in("completions", "hark.bash"), "/usr/share/bash-completion/completions/hark", 0o644),
			at(in("completions", "hark.zsh"), "/usr/share/zsh/vendor-completions/_hark", 0o644),
			at(in("completions", "hark.fish"), "/usr/share/fish/vendor_completions.d/hark.fish", 0o644),
			at(in("LICENSE"), "/usr/share/doc/hark/copyright", 0o644),
		}},
	})
	p, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(d.out, p.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	if err := p.Package(info, f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// sbom lists the modules that the binary was built from, in CycloneDX 1.5.
func (d *dist) sbom(binary, path string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl,omitempty"`
	}
	bom := struct {
		Format   string `json:"bomFormat"`
		Spec     string `json:"specVersion"`
		Version  int    `json:"version"`
		Metadata struct {
			Timestamp string    `json:"timestamp"`
			Component component `json:"component"`
		} `json:"metadata"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Spec: "1.5", Version: 1}
	bom.Metadata.Timestamp = d.date.Format(time.RFC3339)
	bom.Metadata.Component = component{Type: "application", Name: "hark", Version: d.version}
	bom.Components = append(bom.Components, component{Type: "library", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")})
	for _, m := range info.Deps {
		bom.Components = append(bom.Components, component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	b, err := json.MarshalIndent(bom, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// checksums writes SHA256SUMS over all files of the release.
func (d *dist) checksums() error {
	entries, err := os.ReadDir(d.out)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		if e.Name() == "SHA256SUMS" || e.IsDir() {
			continue
		}
		f, err := os.Open(filepath.Join(d.out, e.Name()))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", h.Sum(nil), e.Name()))
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(d.out, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}
