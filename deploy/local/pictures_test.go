package main

import (
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var (
	update   = flag.Bool("update", false, "with -run Pictures: make the README's pictures anew")
	pictures = flag.String("pictures", "", "make a picture of every page that is tested, light and dark and as a phone shows it, in this folder")

	pictured int
)

// picture makes a picture of the page as it is, where the flag asks for it. Its name begins with a number, in the
// order of the tests.
func (b *tab) picture(as string) {
	if *pictures == "" {
		return
	}
	b.t.Helper()
	var (
		shot  []byte
		title string
	)
	b.do(chromedp.Title(&title), chromedp.FullScreenshot(&shot, 100))
	pictured++
	title = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) {
			return unicode.ToLower(c)
		}
		return '-'
	}, title)
	if err := os.WriteFile(filepath.Join(*pictures, fmt.Sprintf("%03d-%s-%s.png", pictured, title, as)), shot, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

const (
	pictureWidth = 800      // px
	pictureSize  = 80 << 10 // bytes at most
)

func TestPictures(t *testing.T) {
	if *update {
		makePictures(t)
	}
	for _, name := range []string{"consent", "labels", "account"} {
		f, err := os.Open(filepath.Join("docs", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		picture, err := png.DecodeConfig(f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if picture.Width != pictureWidth || info.Size() > pictureSize {
			t.Errorf("%s is %d px wide and has %d bytes", name, picture.Width, info.Size())
		}
	}
}

// makePictures needs port 8080, so that they show what a newcomer sees.
func makePictures(t *testing.T) {
	b := newTab(t, start(t, nil, "-addr", "localhost:8080"))
	b.do(emulation.SetDeviceMetricsOverride(pictureWidth, 500, 1, false))
	picture := func(name string) {
		t.Helper()
		var shot []byte
		b.do(drawn, chromedp.FullScreenshot(&shot, 100))
		if err := os.WriteFile(filepath.Join("docs", name+".png"), shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.press("List my labels")
	b.press("Ada Lovelace")
	picture("consent")
	b.press("Continue")
	picture("labels")
	b.open("/createevent")
	b.press("Continue")
	b.open("/dailyevent")
	b.press("Turn it on")
	b.open("/account")
	picture("account")
}
