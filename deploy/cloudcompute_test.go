package deploy_test

import (
	"fmt"
	"net/http"
	"path"
	"strings"
)

// isCompute reports whether a path is one of Compute Engine's API.
func isCompute(name string) bool {
	return strings.HasPrefix(name, "projects/project/global/") || strings.HasPrefix(name, "projects/project/regions/")
}

// serveCompute serves the parts of a load balancer. Every change is an operation that is done at once.
func (c *cloud) serveCompute(r *http.Request, name string, sent resource) (int, resource) {
	place := strings.Join(strings.Split(name, "/")[:3], "/") // projects/project/global
	if strings.HasPrefix(name, "projects/project/regions/") {
		place += "/" + strings.Split(name, "/")[3]
	}
	switch {
	case path.Base(name) == "wait":
		return http.StatusOK, c.resources[path.Dir(name)]
	case r.Method == http.MethodGet && c.resources[name] == nil:
		return http.StatusNotFound, resource{"error": resource{"code": 404, "message": name + " not found"}}
	case r.Method == http.MethodGet:
		return http.StatusOK, c.resources[name]
	case r.Method == http.MethodPost:
		name += "/" + sent["name"].(string)
		sent["address"] = "203.0.113.1"
	}
	sent["selfLink"] = c.URL + "/compute/v1/" + name
	c.resources[name] = sent
	operation := fmt.Sprintf("%s/operations/operation-%d", place, len(c.resources))
	c.resources[operation] = resource{"kind": "compute#operation", "name": path.Base(operation), "status": "DONE", "operationType": "insert",
		"selfLink": c.URL + "/compute/v1/" + operation, "targetLink": sent["selfLink"]}
	if strings.HasPrefix(place, "projects/project/regions/") {
		c.resources[operation]["region"] = c.URL + "/compute/v1/" + place
	}
	return http.StatusOK, c.resources[operation]
}
