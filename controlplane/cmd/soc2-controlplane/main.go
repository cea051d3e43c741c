// Command soc2-controlplane is the real Kubernetes control plane and an OCI registry in one binary, for tests and demos.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	_ "time/tzdata" // CronJobs name time zones

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"soc2-controls/controlplane/internal/lifeline"
)

var components = map[string]func(args []string) int{
	"etcd": func(args []string) int {
		etcdmain.Main(append([]string{"etcd"}, args...))
		return 0
	},
	"kube-apiserver":          kubernetes(apiserver.NewAPIServerCommand),
	"kube-controller-manager": kubernetes(controllermanager.NewControllerManagerCommand),
	"kube-scheduler": kubernetes(func() *cobra.Command {
		return scheduler.NewSchedulerCommand()
	}),
	"registry": serveRegistry,
}

func main() {
	if len(os.Args) < 2 || components[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: soc2-controlplane etcd|kube-apiserver|kube-controller-manager|kube-scheduler|registry [flags]")
		os.Exit(2)
	}
	lifeline.Watch()
	os.Exit(components[os.Args[1]](os.Args[2:]))
}

func kubernetes(newCommand func() *cobra.Command) func(args []string) int {
	return func(args []string) int {
		// The commands read os.Args themselves.
		os.Args = append(os.Args[:1], args...)
		return cli.Run(newCommand())
	}
}

// serveRegistry serves an OCI registry over plain HTTP, kept in a directory; it refuses any address but loopback.
func serveRegistry(args []string) int {
	flags := flag.NewFlagSet("registry", flag.ExitOnError)
	address := flags.String("address", "127.0.0.1:0", "loopback address to listen on")
	directory := flags.String("directory", "", "where blobs are kept")
	_ = flags.Parse(args)
	listener, err := net.Listen("tcp", *address)
	if err == nil && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		err = fmt.Errorf("%s is not a loopback address", *address)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		return 1
	}
	handler := registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(*directory)))
	fmt.Fprintln(os.Stderr, "registry:", http.Serve(listener, handler))
	return 1
}
