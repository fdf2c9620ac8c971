package config

import (
	"regexp"
	"strings"
)

func (p *parser) schedulerAccounts() []string {
	const name = "SCHEDULER_ACCOUNT"
	accounts := strings.Fields(p.getenv(name))
	for _, v := range accounts {
		if user, host, ok := strings.Cut(v, "@"); !ok || user == "" || host == "" || strings.ContainsAny(host, "@") || strings.ContainsAny(v, ",:;") {
			p.fault(name, "is not the email address of a service account, or several with spaces between them")
			return nil
		}
	}
	return accounts
}

// queue matches the full name of a queue [Google: Cloud Tasks, REST resource projects.locations.queues].
var queue = regexp.MustCompile(`^projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}$`)

func (p *parser) taskQueue() string {
	const name = "TASK_QUEUE"
	v := p.getenv(name)
	switch {
	case v != "" && !queue.MatchString(v):
		p.fault(name, "is not of the form projects/PROJECT/locations/LOCATION/queues/QUEUE")
	case v != "" && p.getenv("SCHEDULER_ACCOUNT") == "":
		p.fault(name, "is set without SCHEDULER_ACCOUNT, the service account that its tasks are sent by: set both")
	}
	return v
}
