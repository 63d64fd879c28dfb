package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

type options struct {
	peers     []peer
	engines   []engine
	scenarios []scenario

	engineOnly, verbose bool
	rounds              int
	seconds, warmup     time.Duration
	engineTime          time.Duration
	base, json, command string

	serverCPU, generatorCPU int
}

// duration is a guess: a run has a start, a warm-up, the measurement and an end.
func (o options) duration() time.Duration {
	runs := o.rounds * len(o.peers) * len(o.scenarios)
	return time.Duration(runs) * (o.warmup + o.seconds + 150*time.Millisecond)
}

func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	peerList := fs.String("peers", "", "servers, or engines with -engine, separated by commas (default all)")
	scenarioList := fs.String("scenarios", defaultScenarios, "shapes of load, KIND:DEPTHxSIZE@CONNS, separated by commas; KIND is binary, text or ping")
	fs.BoolVar(&o.engineOnly, "engine", false, "measure the engines alone, in memory")
	fs.IntVar(&o.rounds, "rounds", 5, "interleaved runs of everyone")
	seconds := fs.Float64("seconds", 2, "measured `time` of a run; an eighth of it in memory")
	warmup := fs.Float64("warmup", 0.5, "`seconds` of load before that")
	fs.StringVar(&o.base, "base", "", "who the ratios refer to (default gws, or else the first)")
	fs.StringVar(&o.json, "json", "", "also write everything to this `file`")
	cpus := fs.String("cpus", "", "the CPU of the server and that of the generator, as in 0,1 (default the first two allowed)")
	quick := fs.Bool("quick", false, "small and short: does everything run, and is every byte right?")
	fs.BoolVar(&o.verbose, "v", false, "say what every run measured")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.command = command(fs)
	if *quick {
		given := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{
			"rounds": "1", "seconds": "0.1", "warmup": "0.02", "scenarios": quickScenarios,
		} {
			if !given[name] {
				if err := fs.Set(name, value); err != nil {
					return o, err
				}
			}
		}
	}
	const day = 86400
	if o.rounds < 1 || o.rounds > 1000 || !(*seconds > 0 && *seconds < day) || !(*warmup >= 0 && *warmup < day) {
		return o, errors.New("-rounds must be 1 to 1000, -seconds above 0, -warmup 0 or more")
	}
	o.seconds = time.Duration(*seconds * float64(time.Second))
	o.warmup = time.Duration(*warmup * float64(time.Second))
	o.engineTime = o.seconds / 8
	if o.scenarios, err = parseScenarios(*scenarioList); err != nil {
		return o, err
	}
	var names []string
	if o.engineOnly {
		o.engines, err = pick(engines, *peerList)
		names = namesOf(o.engines)
	} else {
		o.peers, err = pick(peers, *peerList)
		names = namesOf(o.peers)
	}
	if err != nil {
		return o, err
	}
	if o.base, err = chooseBase(o.base, names); err != nil {
		return o, err
	}
	o.serverCPU, o.generatorCPU, err = chooseCPUs(*cpus)
	return o, err
}

func namesOf[T fmt.Stringer](all []T) []string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.String()
	}
	return names
}

func chooseBase(base string, names []string) (string, error) {
	switch {
	case base != "" && !slices.Contains(names, base):
		return "", fmt.Errorf("-base %s is not measured; measured are %s", base, strings.Join(names, ", "))
	case base != "":
		return base, nil
	case slices.Contains(names, "gws"):
		return "gws", nil
	}
	return names[0], nil
}

func chooseCPUs(list string) (server, generator int, err error) {
	allowed, err := allowedCPUs()
	if err != nil || len(allowed) == 0 {
		return 0, 0, errors.Join(errors.New("no CPU to run on"), err)
	}
	if list == "" {
		return allowed[0], allowed[min(1, len(allowed)-1)], nil
	}
	if n, err := fmt.Sscanf(list+"\n", "%d,%d\n", &server, &generator); n != 2 || err != nil {
		return 0, 0, fmt.Errorf("-cpus %q: want two numbers, as in 0,1", list)
	}
	for _, cpu := range []int{server, generator} {
		if !slices.Contains(allowed, cpu) {
			return 0, 0, fmt.Errorf("-cpus: CPU %d is not among those allowed, %v", cpu, allowed)
		}
	}
	return server, generator, nil
}

// command is what to type to measure the same again.
func command(fs *flag.FlagSet) string {
	words := []string{"go run -C benchmarks ."}
	fs.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "json", "v":
		default:
			words = append(words, fmt.Sprintf("-%s=%s", f.Name, f.Value))
		}
	})
	return strings.Join(words, " ")
}
