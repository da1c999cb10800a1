window.gpuaasWords = {
 ": {cpu_cores} cores, {memory_gib} GiB, {storage_gib} GiB storage": ": {cpu_cores} Kerne, {memory_gib} GiB, {storage_gib} GiB Speicherplatz",
 "From {start} until {end}, {zone} time.": "Von {start} bis {end}, Zeitzone {zone}.",
 "Times are in your time zone, {zone}.": "Zeiten in der eigenen Zeitzone, {zone}.",
 "d": "T",
 "h": "Std.",
 "min": "Min.",
 "now": "jetzt",
 "today {time}": "heute {time}",
 "tomorrow {time}": "morgen {time}"
};
