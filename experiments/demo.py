"""A web page: drop a picture, see where people will look.

    pip install 'keras_saliency[demo]'
    python experiments/demo.py
    python experiments/demo.py --model runs/NAME --model best.keras --port 8080

The map, the map over the picture, the attention that regions get, and the crop that
keeps most of it; maps and crop can be downloaded. Nothing is sent to anybody else,
and pictures are not kept. docs/demo.md says more.
"""

import os
import signal
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from PIL import Image

from keras_saliency import (
    attention,
    attention_pictures,
    attention_regions,
    cropping,
    files,
    inputs,
    outputs,
    pictures,
    shipped,
    trained,
    training,
)
from keras_saliency.errors import InputError, printable

MOST_BYTES, MOST_PIXELS = 40 * 1024**2, 40_000_000  # of a picture
KEPT = 600  # seconds that a picture and what was made of it can be looked at
ASPECTS = {"1:1": 1.0, "4:3": 4 / 3, "3:4": 3 / 4, "16:9": 16 / 9, "9:16": 9 / 16, "3:1": 3.0}
PROMISE = f"""# Where will people look?
A model's guess, not a measurement; crops of people need your own eyes. **Pictures are not kept:**
they stay on the machine that serves this page, and {KEPT // 60} minutes later they and all that was
made of them are deleted."""


def main(argv=None):
    args = parse_args(argv)
    gradio = imported()
    training.load_tensorflow()
    models = loaded(args.model)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the folder goes too
    with tempfile.TemporaryDirectory(prefix="keras_saliency_demo_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # uploads, and copies of what is shown
        threading.Thread(target=keep_sweeping, args=(folder,), daemon=True).start()
        serve(page(gradio, models, folder), args.host, args.port)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    trained.add_flag(parser, default=None, action="append")
    add("--host", default="127.0.0.1", help="0.0.0.0: other machines may come (default: this one)")
    add("--port", type=training.positive, default=7860, metavar="N", help="default: %(default)s")
    args = parser.parse_args(argv)
    args.model = args.model or [shipped.NAME]
    return args


def imported():
    """Gradio, told beforehand to talk to nobody and to note nothing."""
    for name in ("ANALYTICS_ENABLED", "RUN_HISTORY", "SHARE", "MCP_SERVER"):
        os.environ[f"GRADIO_{name}"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise InputError("the page needs Gradio: pip install 'keras_saliency[demo]'") from error
    return gradio


def loaded(paths):
    """The models, by the run's or file's name, or by the whole path where that is another's too."""
    from keras_saliency import engines

    short = [os.path.basename(os.path.abspath(path)).removesuffix(".keras") for path in paths]
    names = [s if short.count(s) == 1 else path for s, path in zip(short, paths, strict=True)]
    return {name: engines.for_many(path, 1) for name, path in zip(names, paths, strict=True)}


def look(model, path, aspect, regions, folder):
    """What the page shows of a picture: a line, four drawings, the regions' table, the files."""
    from keras_saliency import prediction

    height, width = size = pictures.size(path)
    if height * width > MOST_PIXELS:
        raise InputError(f"{path} is too large: {width}x{height} pixels, of at most 40 million")
    name = os.path.basename(path)
    stimulus = inputs.Picture(path, name).read()
    found = attention_regions.of_lines(regions, size) or attention_regions.thirds(size)
    (saliency_map,) = prediction.saliency_maps(model, [stimulus])
    box = cropping.crop_box(saliency_map, ASPECTS[aspect])
    made = written(inputs.Picture(path, name, stimulus), saliency_map, box, folder)
    *shares, held = attention.region_shares(saliency_map, [*found.values(), box])
    areas = attention.area_shares(saliency_map, found.values())
    times = attention.per_area(saliency_map, found.values())
    labels = [f"{share:.1%}" for share in shares]
    drawn = (
        pictures.read(made["overlay"]),
        pictures.to_uint8(saliency_map)[..., 0],
        attention_pictures.regions(stimulus, saliency_map, found, labels),
        attention_pictures.crop(stimulus, box),
    )
    rows = zip(found, labels, (f"{a:.1%}" for a in areas), (f"{t:.2f}" for t in times), strict=True)
    said = f"{name}, {width}x{height} pixels; the crop holds {held:.1%} of the attention"
    return [printable(said), *map(smaller, drawn), list(map(list, rows)), list(made.values())]


def written(picture, saliency_map, box, folder):
    """The files to download, by kind; maps are those of predict.py."""
    maps = outputs.Outputs(folder, ("png16", "overlay"))
    maps.write(picture, saliency_map, saliency_map.shape[:2])
    stem, ending = os.path.splitext(os.path.join(folder, picture.name))
    crop = stem + "-crop" + (ending if ending.lower() in cropping.MODES else ".png")
    cropping.write(crop, picture.path, box)
    return {**maps.paths(picture.name), "crop": crop}


def smaller(picture):
    """At most as large as the page can show it."""
    shown = Image.fromarray(picture)
    shown.thumbnail((1600, 1600))
    return shown


def keep_sweeping(folder):
    while True:
        time.sleep(KEPT / 20)
        files.sweep(folder, KEPT)


def answer(models, folder, path, name, aspect, regions):
    """What `look` returns; of a mistake its line alone, which names the file and not its place."""
    nothing = [None] * 7
    try:
        made = tempfile.mkdtemp(dir=folder)
        return look(models[name], path, aspect, regions, made) if path else nothing
    except InputError as error:
        return [printable(str(error).replace(path, os.path.basename(path))), *nothing[1:]]


def page(gradio, models, folder):
    """The page's parts, and what happens when one changes."""

    def see(*given):
        return answer(models, folder, *given)

    with gradio.Blocks(title="keras_saliency", analytics_enabled=False) as blocks:
        gradio.Markdown(PROMISE)
        with gradio.Row():
            with gradio.Column():
                given = gradio.File(label="A picture", height=150)
                with gradio.Row():
                    name = gradio.Dropdown(list(models), label="Model")
                    aspect = gradio.Dropdown(list(ASPECTS), label="Crop, width to height")
                regions = gradio.Textbox(
                    label="Regions", lines=2, max_length=4000, submit_btn=True,
                    placeholder="name x y width height, in pixels, one a line; none: thirds",
                )  # fmt: skip
                said = gradio.Textbox(label="Result", elem_id="said", interactive=False)
                download = gradio.File(label="Download", file_count="multiple", interactive=False)
            with gradio.Column(scale=2):
                drawn = []
                for title in ("Over the picture", "Map", "Regions", "Crop"):
                    with gradio.Tab(title):
                        # Its own buttons would offer to share it.
                        kind = {"show_label": False, "format": "png", "buttons": ["fullscreen"]}
                        drawn.append(gradio.Image(**kind, height=520, interactive=False))
                heads = ["region", "attention", "area", "per area"]
                table = gradio.Dataframe(headers=heads, interactive=False)
        changes = given.change, name.change, aspect.change, regions.submit
        wanted, shown = [given, name, aspect, regions], [said, *drawn, table, download]
        gradio.on(changes, see, wanted, shown, trigger_mode="always_last")
    return blocks


def serve(blocks, host, port):
    """Until Ctrl-C; pictures wait for each other, as a network takes all cores."""
    blocks.queue(max_size=50, default_concurrency_limit=1)
    try:
        blocks.launch(
            server_name=host, server_port=port, max_file_size=MOST_BYTES, footer_links=[],
            share=False, ssr_mode=False, quiet=True, prevent_thread_lock=True,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"cannot serve at {host}:{port} ({error}): give another --port") from error
    print(f"http://{host}:{port}  (Ctrl-C ends it)", flush=True)
    blocks.block_thread()


if __name__ == "__main__":
    training.run(main)
