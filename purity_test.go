package wirebeat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/wirebeat/wirebeat"

// pure lists the packages without input, output, clock and concurrency.
var pure = []string{"frame", "control", "control/wheel", "conn/endpoint", "conn/deflate", "conn/handshake"}

// source is a package that exists, without its tests, for every platform.
type source struct {
	dir     string
	fset    *token.FileSet
	files   []*ast.File
	imports []string
}

func load(t *testing.T, dir string) *source {
	t.Helper()
	entries, err := os.ReadDir(filepath.FromSlash(dir))
	require.NoError(t, err)
	s := &source{dir: dir, fset: token.NewFileSet()}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.fset, filepath.Join(filepath.FromSlash(dir), e.Name()), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		s.files = append(s.files, f)
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			s.imports = append(s.imports, name)
		}
	}
	slices.Sort(s.imports)
	s.imports = slices.Compact(s.imports)
	return s
}

// packages returns the directories of this module that hold Go files other
// than tests. Directories with a go.mod of their own are other modules.
func packages(t *testing.T) (dirs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if p != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if dir := filepath.ToSlash(filepath.Dir(p)); strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			dirs = append(dirs, dir)
		}
		return nil
	}))
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func forPure(t *testing.T, test func(t *testing.T, dir string)) {
	existing := packages(t)
	for _, dir := range pure {
		if slices.Contains(existing, dir) {
			t.Run(dir, func(t *testing.T) { test(t, dir) })
		}
	}
}

// within reports whether an import path is root or below it.
func within(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }

func TestPurePackagesNeedNoNetworkLogOrProcess(t *testing.T) {
	forPure(t, func(t *testing.T, dir string) {
		out, err := exec.Command("go", "list", "-deps", "./"+dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
		for _, dep := range strings.Fields(string(out)) {
			if dep == "net/url" || dep == "net/netip" {
				continue
			}
			for _, forbidden := range []string{"net", "log", "os/exec"} {
				require.False(t, within(dep, forbidden), "%s needs %s", dir, dep)
			}
		}
	})
}

func TestPurePackagesStartNothingAndReadNoClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	forPure(t, func(t *testing.T, dir string) {
		s := load(t, dir)
		require.NotContains(t, s.imports, "sync")
		require.NotContains(t, s.imports, "sync/atomic")
		for _, f := range s.files {
			timeName := importName(f, "time")
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%v: a go statement", s.fset.Position(n.Pos()))
				case *ast.FuncDecl:
					if n.Recv == nil && n.Name.Name == "init" {
						t.Errorf("%v: an init function", s.fset.Position(n.Pos()))
					}
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if ok && timeName != "" && x.Name == timeName && slices.Contains(clock, n.Sel.Name) {
						t.Errorf("%v: time.%s", s.fset.Position(n.Pos()), n.Sel.Name)
					}
				}
				return true
			})
		}
	})
}

// importName returns what a file calls a package, "" if it does not.
func importName(f *ast.File, name string) string {
	for _, i := range f.Imports {
		if i.Path.Value != strconv.Quote(name) {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(name)
	}
	return ""
}

// A package variable is a table, which is unexported and made by a composite
// literal or by a function literal that is called where it stands; or an
// error, made by errors.New or by a function of the package that returns a
// *ProtocolError; or the blank one of an interface check.
func TestPurePackagesHaveNoVariablesButTablesAndErrors(t *testing.T) {
	forPure(t, func(t *testing.T, dir string) {
		s := load(t, dir)
		constructors := errorConstructors(s)
		for _, f := range s.files {
			for _, decl := range f.Decls {
				g, ok := decl.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						if name.Name == "_" {
							continue
						}
						legal := len(v.Values) == len(v.Names) &&
							(isError(v.Values[i], constructors) || !name.IsExported() && isTable(v.Values[i]))
						if !legal {
							t.Errorf("%v: %s is neither a table nor an error", s.fset.Position(name.Pos()), name.Name)
						}
					}
				}
			}
		}
	})
}

func errorConstructors(s *source) (names []string) {
	for _, f := range s.files {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Type.Results == nil || len(fn.Type.Results.List) != 1 {
				continue
			}
			star, ok := fn.Type.Results.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			switch x := star.X.(type) {
			case *ast.Ident:
				if x.Name == "ProtocolError" {
					names = append(names, fn.Name.Name)
				}
			case *ast.SelectorExpr:
				if x.Sel.Name == "ProtocolError" {
					names = append(names, fn.Name.Name)
				}
			}
		}
	}
	return names
}

func isTable(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		_, ok := e.Fun.(*ast.FuncLit)
		return ok
	}
	return false
}

func isError(e ast.Expr, constructors []string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return slices.Contains(constructors, fn.Name)
	case *ast.SelectorExpr:
		x, ok := fn.X.(*ast.Ident)
		return ok && x.Name == "errors" && fn.Sel.Name == "New"
	}
	return false
}

func TestArrowsPointOneWay(t *testing.T) {
	allowed := map[string][]string{
		"frame":          {},
		"control":        {"frame"},
		"control/wheel":  {},
		"conn/deflate":   {},
		"conn/handshake": {},
		"conn/endpoint":  {"frame", "control", "conn/deflate"},
		"conn":           {"frame", "control", "control/wheel", "conn/endpoint", "conn/deflate", "conn/handshake"},
		"server": {"frame", "control", "control/wheel", "conn/endpoint", "conn/deflate", "conn/handshake",
			"conn"},
		"client": {"frame", "control", "control/wheel", "conn/endpoint", "conn/deflate", "conn/handshake",
			"conn"},
		"server/reactor": {"frame", "control", "control/wheel", "conn/endpoint", "conn/deflate", "conn/handshake",
			"conn", "server"},
	}
	for _, dir := range packages(t) {
		t.Run(dir, func(t *testing.T) {
			own := 0
			for _, name := range load(t, dir).imports {
				if !within(name, module) {
					continue
				}
				own++
				name = strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
				if may, ok := allowed[dir]; ok {
					require.Contains(t, may, name, "%s must not import %s", dir, name)
				}
				if name == "server/reactor" {
					require.True(t, within(dir, "cmd"), "nothing but cmd imports the reactor")
				}
				require.False(t, within(name, "cmd"), "nothing imports a command")
			}
			if dir == "." {
				require.Zero(t, own, "the front page has no code of its own")
			}
		})
	}
}
