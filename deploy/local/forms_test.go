package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// shows fails the test unless the expression is what is wanted.
func (b *tab) shows(expression, want string) {
	b.t.Helper()
	var got string
	if b.do(chromedp.Evaluate(expression, &got)); got != want {
		b.t.Fatalf("%s is %q, want %q, on %s", expression, got, want, b.describe())
	}
}

// posts counts the forms that the tab sends from now on.
func (b *tab) posts() *atomic.Int32 {
	var n atomic.Int32
	chromedp.ListenTarget(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && e.Request.Method == "POST" {
			n.Add(1)
		}
	})
	return &n
}

// choose chooses a file of so many bytes.
func (b *tab) choose(name string, size int) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(`[name="file"]`, []string{path}, chromedp.ByQuery))
}

func (b *tab) withoutScripts() { b.do(emulation.SetScriptExecutionDisabled(true)) }

// network takes the tab's network away, or gives it one whose answers take so many milliseconds and which sends so
// many bytes a second; -1 is no limit.
func (b *tab) network(offline bool, latency, upload float64) {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := network.EmulateNetworkConditionsByRule(offline, []*network.Conditions{{Latency: latency, DownloadThroughput: -1, UploadThroughput: upload}}).Do(ctx)
		return err
	}))
}

func TestFaultsStandBesideTheirFields(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createevent")
	b.press("Continue")
	b.write("title", " ")
	b.write("start", "2030-03-01T09:00")
	b.write("end", "2030-03-01T09:00")
	b.press("Make appointment")
	b.hasStatus(400)
	b.do(chromedp.Poll(`document.activeElement.name === "title"`, nil, chromedp.WithPollingTimeout(patience))) // it gets the focus with the first frame
	for field, text := range map[string]string{"title": "Give the appointment a title.", "end": "The end has to be after the start."} {
		b.shows(`document.getElementById(document.querySelector("[name=`+field+`][aria-invalid]").getAttribute("aria-describedby").split(" ")[0]).innerText`, text)
	}
	b.passes()
	b.write("title", "Tea")
	b.write("end", "2030-03-01T10:00")
	b.press("Make appointment")
	b.sees("Your appointment is in your calendar")
}

func TestFreshAppointment(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.do(emulation.SetTimezoneOverride("Asia/Tokyo"))
	b.open("/createevent")
	b.press("Continue")
	if zone := b.read("time_zone"); zone != "Asia/Tokyo" {
		t.Errorf("the zone is %s", zone)
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	const minutes = "2006-01-02T15:04"
	start, err := time.ParseInLocation(minutes, b.read("start"), tokyo)
	if ahead := time.Until(start); err != nil || start.Minute() != 0 || ahead < -time.Minute || ahead > time.Hour {
		t.Errorf("it starts at %s, %v", start, err)
	}
	if end := b.read("end"); end != start.Add(time.Hour).Format(minutes) {
		t.Errorf("it ends at %s", end)
	}

	t.Run("what a link says stays", func(t *testing.T) {
		b.t = t
		b.open("/createevent?time_zone=Europe/Berlin&start=2030-03-01T09:00")
		if zone, start := b.read("time_zone"), b.read("start"); zone != "Europe/Berlin" || start != "2030-03-01T09:00" {
			t.Errorf("%s, %s", zone, start)
		}
	})
	t.Run("what was typed stays, also through Back", func(t *testing.T) {
		b.t = t
		b.open("/createevent")
		for name, text := range map[string]string{"title": " ", "start": "2030-03-01T09:00", "time_zone": "Europe/Rome"} {
			b.do(chromedp.SetValue(`[name="`+name+`"]`, text, chromedp.ByQuery))
		}
		b.press("Make appointment")
		b.hasStatus(400)
		b.goes(chromedp.NavigateBack())
		if start, zone := b.read("start"), b.read("time_zone"); start != "2030-03-01T09:00" || zone != "Europe/Rome" {
			t.Errorf("%s, %s", start, zone)
		}
	})
	t.Run("without scripts it is empty, and in UTC", func(t *testing.T) {
		b.t = t
		b.withoutScripts()
		b.open("/createevent")
		if zone, start := b.read("time_zone"), b.read("start"); zone != "UTC" || start != "" {
			t.Errorf("%s, %q", zone, start)
		}
		b.write("title", "Tea")
		b.write("start", "2030-03-01T09:00")
		b.write("end", "2030-03-01T10:00")
		b.press("Make appointment")
		b.hasStatus(200)
	})
}

func TestDoubleClickSendsOnce(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.write("name", "notes.txt")
	sent := b.posts()
	b.network(false, 2000, -1) // so that it is still on its way at the second click
	b.goes(chromedp.Evaluate(`(async () => {
		const button = document.querySelector("main form button");
		button.click();
		if (button.textContent !== "Working…" || button.ariaLive !== "polite") throw button.outerHTML;
		await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
		button.click();
		button.form.requestSubmit();
	})(), null`, nil))
	b.sees("Your file is in your Drive")
	if n := sent.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestLargeUploadShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.choose("large.bin", 6<<20)
	b.network(false, 0, 2<<20)
	b.click("Create file")
	b.do(chromedp.Poll(`(() => { const bar = document.querySelector("progress"); return bar && bar.value > 0.1 && bar.value < 1; })()`, nil, chromedp.WithPollingTimeout(patience)))
	b.sees("Your file is in your Drive", "large.bin")
}

func TestLargeUploadThatBreaksKeepsTheForm(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.write("name", "mine.bin")
	b.choose("large.bin", 2<<20)
	b.refuses = "ERR_INTERNET_DISCONNECTED"
	b.network(true, 0, -1)
	b.click("Create file")
	b.sees("The connection broke.")
	b.network(false, 0, -1)
	b.passes()
	b.click("Create file")
	b.sees("Your file is in your Drive", "mine.bin")
}

func TestFileIsChosenAgain(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.write("name", "mine.txt")
	b.choose("notes <b>.txt", 3)
	b.forget()
	b.press("Create file")
	b.hasStatus(401)
	b.sees("Choose notes <b>.txt again")
	b.passes()

	consent := b.pressForTab("Give permission in a new tab")
	consent.sees("Go back to your form", "this tab can be closed")
	consent.passes()
	consent.close()

	b.press("Create file") // and no file is chosen
	b.hasStatus(400)
	b.sees("Choose notes <b>.txt again, or write a text instead.")
	b.do(chromedp.Poll(`document.activeElement.name === "file"`, nil, chromedp.WithPollingTimeout(patience)))
	b.choose("notes <b>.txt", 3)
	b.press("Create file")
	b.hasStatus(200)
	b.sees("Your file is in your Drive", "mine.txt")
}

func TestJobIsTurnedOnAfterTheSessionWasLost(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/dailyevent")
	b.press("Continue")
	b.forget()
	b.press("Turn it on")
	b.hasStatus(401)
	consent := b.pressForTab("Give permission in a new tab")
	consent.sees("Go back to your form")
	consent.close()
	b.press("Turn it on")
	b.sees("It is on.")
}
