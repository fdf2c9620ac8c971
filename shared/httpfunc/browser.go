package httpfunc

import "strings"

// What a User-Agent names, in the order in which it is looked for: most browsers name others as well.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox", "Firefox"}, {"FxiOS", "Firefox"},
		{"CriOS", "Chrome"}, {"Chrome", "Chrome"}, {"Safari", "Safari"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}}
	// inApps are browsers inside other apps, in which Google refuses to sign anybody in
	// [Google: OAuth 2.0 policies, secure browsers].
	inApps = []string{"; wv)", "FBAN/", "FBAV/", "FB_IAB", "Instagram", "Line/", "LinkedInApp", "MicroMessenger", "Snapchat", "musical_ly", "BytedanceWebview", "GSA/"}
)

// browserName returns browser and system of a User-Agent in words, or "".
func browserName(userAgent string) string {
	browser, system := find(browsers, userAgent), find(systems, userAgent)
	if browser != "" && system != "" {
		return browser + " on " + system
	}
	return browser + system
}

func find(names [][2]string, userAgent string) string {
	for _, name := range names {
		if strings.Contains(userAgent, name[0]) {
			return name[1]
		}
	}
	return ""
}

// isInApp reports whether a User-Agent is of a browser inside another app.
func isInApp(userAgent string) bool {
	for _, mark := range inApps {
		if strings.Contains(userAgent, mark) {
			return true
		}
	}
	return false
}
