package bench_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A row is one figure of the three programs in one run.
type row struct {
	name, unit string
	figures    map[string]float64 // by program; one that has none is left out
}

var table []row

// report adds a figure to the table that the run ends with, and to the benchmark's own line.
func report(tb testing.TB, name, unit string, figures map[string]float64) {
	tb.Helper()
	r := row{name, unit, figures}
	if i := slices.IndexFunc(table, func(old row) bool { return old.name == name && old.unit == unit }); i >= 0 {
		table[i] = r
	} else {
		table = append(table, r)
	}
	b, ok := tb.(*testing.B)
	if !ok {
		return
	}
	b.ReportMetric(0, "ns/op") // a round of all programs: no figure of anybody's
	metric := strings.ReplaceAll(unit, " ", "-")
	b.ReportMetric(figures[ours], metric)
	if f, ok := figures[least]; ok && f != 0 {
		b.ReportMetric(figures[ours]/f, metric+"/least")
	}
	if f, ok := figures[plain]; ok && f != 0 {
		b.ReportMetric(figures[ours]/f, metric+"/plain")
	}
}

// of makes a figure of each program's sample.
func of(samples map[string]*sample, figure func(*sample) float64) map[string]float64 {
	figures := map[string]float64{}
	for name, s := range samples {
		figures[name] = figure(s)
	}
	return figures
}

func printTable() {
	fmt.Println("\n| what | unit | ours | least | plain | ours/least | ours/plain |\n|---|---|--:|--:|--:|--:|--:|")
	for _, r := range table {
		cells := []string{r.name, r.unit}
		for _, name := range programs {
			f, ok := r.figures[name]
			cells = append(cells, cell(f, ok))
		}
		for _, name := range programs[1:] {
			f, ok := r.figures[name]
			cells = append(cells, cell(r.figures[ours]/f, ok && f != 0))
		}
		fmt.Println("| " + strings.Join(cells, " | ") + " |")
	}
}

// cell shows three digits of a figure.
func cell(f float64, ok bool) string {
	switch {
	case !ok:
		return ""
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir, built.of = dir, map[string]string{}
	code := m.Run()
	os.RemoveAll(dir)
	if flag.Lookup("test.bench").Value.String() != "" {
		printTable()
	}
	os.Exit(code)
}
