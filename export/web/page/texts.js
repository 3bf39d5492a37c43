// The page's texts in the browser's language: English stands in the page and in its code, other languages in the
// tables below. Read before all else, and by a browser however old, so that nothing newer is used here.
"use strict";

var texts = (function () {
  var tables = {
    es: {
      "Paint a photo in any style": "Pinte una foto en cualquier estilo",
      "Everything is computed on this device. No picture leaves it.": "Todo se calcula en este dispositivo. Ninguna imagen sale de él.",
      "The painted picture": "La imagen pintada",
      "Nothing is painted yet": "Todavía no se ha pintado nada",
      "Loading the networks, about 15 MB the first time…": "Cargando las redes, unos 15 MB la primera vez…",
      "Show the photo": "Ver la foto",
      "Save": "Guardar",
      "Photo": "Foto",
      "drop one here": "suelte una aquí",
      "Sample photos": "Fotos de muestra",
      "Choose a photo": "Elegir una foto",
      "Choose a photo from this device": "Elegir una foto de este dispositivo",
      "Camera": "Cámara",
      "Style": "Estilo",
      "Sample styles": "Estilos de muestra",
      "Choose a picture": "Elegir una imagen",
      "Choose a style picture from this device": "Elegir una imagen de estilo de este dispositivo",
      "Strength": "Intensidad",
      "Detail": "Detalle",
      "Quick": "Rápido",
      "Fine": "Fino",
      "Finer": "Más fino",
      "What the camera sees": "Lo que ve la cámara",
      "What the camera sees, painted": "Lo que ve la cámara, pintado",
      "Cancel": "Cancelar",
      "Paint live": "Pintar en vivo",
      "Other camera": "Otra cámara",
      "Take the photo": "Tomar la foto",
      "Style transfer after Ghiasi et al. 2017, run by LiteRT.js.": "Transferencia de estilo según Ghiasi et al. 2017, ejecutada con LiteRT.js.",
      "Credits and licenses": "Créditos y licencias",
      "Browsers run this page only from a server. In its folder, run: python -m http.server --bind 127.0.0.1 8000 — and open http://127.0.0.1:8000/": "Los navegadores solo ejecutan esta página desde un servidor. En su carpeta, ejecute: python -m http.server --bind 127.0.0.1 8000 — y abra http://127.0.0.1:8000/",
      "This browser is too old for this page, or WebAssembly is switched off in it. Try a current Firefox, Chrome, Edge or Safari.": "Este navegador es demasiado antiguo para esta página, o tiene WebAssembly desactivado. Pruebe con un Firefox, Chrome, Edge o Safari actual.",
      "preparing the pictures": "preparando las imágenes",
      "reading the style": "leyendo el estilo",
      "painting": "pintando",
      "finishing": "terminando",
      "Painted in {total} s: style {style} s, picture {picture} s; {side} px, {by}.": "Pintado en {total} s: estilo {style} s, imagen {picture} s; {side} px, {by}.",
      "1 thread": "1 hilo",
      "{count} threads": "{count} hilos",
      "{photo}, painted in the style of: {style}": "{photo}, pintada en el estilo de: {style}",
      "The photo itself: {photo}": "La propia foto: {photo}",
      "A photo from the camera": "Una foto de la cámara",
      "There is not enough memory for this. Choose less detail, or close other tabs.": "No hay memoria suficiente. Elija menos detalle o cierre otras pestañas.",
      "A part of this page could not be loaded. Is its folder complete, and the server still there? ({reason})": "No se pudo cargar una parte de esta página. ¿Está completa su carpeta y sigue ahí el servidor? ({reason})",
      "What came as {file} is not this page’s file, and is not used. If this network asks for a sign-in, sign in; then reload this page.": "Lo que llegó como {file} no es el fichero de esta página, y no se usa. Si esta red pide identificarse, hágalo; después recargue esta página.",
      "{file} could not be loaded. If this network asks for a sign-in, sign in; then reload this page.": "No se pudo cargar {file}. Si esta red pide identificarse, hágalo; después recargue esta página.",
      "The picture could not be painted: {reason}": "No se pudo pintar la imagen: {reason}",
      "The camera was not allowed. Allow it in the browser’s settings for this page, or choose a photo.": "La cámara no está permitida. Permítala en los ajustes del navegador para esta página, o elija una foto.",
      "No camera was found. Choose a photo instead.": "No se encontró ninguna cámara. Elija una foto.",
      "The camera is in use by another program. Close that, or choose a photo.": "Otro programa está usando la cámara. Ciérrelo, o elija una foto.",
      "The camera needs a page that is served by https, or from this computer. Choose a photo instead.": "La cámara necesita una página servida por https o desde este ordenador. Elija una foto.",
      "The camera could not be started. Choose a photo instead.": "No se pudo encender la cámara. Elija una foto.",
      "This picture is too small: {width} × {height} pixels. Both sides must be at least {least}.": "Esta imagen es demasiado pequeña: {width} × {height} píxeles. Ambos lados deben tener al menos {least}.",
      "This browser has no memory left for pictures. Close other tabs and try again.": "A este navegador no le queda memoria para imágenes. Cierre otras pestañas y vuelva a intentarlo.",
      "This file is too large: {size} MB. Choose one of up to {most} MB.": "Este fichero es demasiado grande: {size} MB. Elija uno de hasta {most} MB.",
      "“{name}” is not a picture that this browser can read. Try a JPEG or PNG.": "«{name}» no es una imagen que este navegador pueda leer. Pruebe con un JPEG o un PNG.",
      "This picture is too large: {size} megapixels. Choose one of up to {most}.": "Esta imagen es demasiado grande: {size} megapíxeles. Elija una de hasta {most}.",
      "“{name}” has no size of its own. Try a JPEG or PNG.": "«{name}» no tiene un tamaño propio. Pruebe con un JPEG o un PNG.",
      "The picture could not be saved: this browser has no memory left for it.": "No se pudo guardar la imagen: a este navegador no le queda memoria.",
      "A ginger cat, resting": "Un gato atigrado naranja, descansando",
      "An astronaut in an orange suit": "Una astronauta con traje naranja",
      "A cup of coffee on a wooden table": "Una taza de café sobre una mesa de madera",
      "A rocket at launch, at night": "El despegue de un cohete, de noche",
      "The Starry Night, Vincent van Gogh, 1889": "La noche estrellada, Vincent van Gogh, 1889",
      "Composition VII, Wassily Kandinsky, 1913": "Composición VII, Vasili Kandinski, 1913",
      "Stained tissue under a microscope": "Tejido teñido, al microscopio",
    },
  };
  var wanted = navigator.languages || [navigator.language || "en"];
  var known = [].map.call(wanted, function (tag) { return tag.slice(0, 2).toLowerCase(); });
  var language = known.filter(function (tag) { return tag === "en" || tables[tag]; })[0] || "en";
  var table = tables[language] || {};

  // Gives a text in the browser's language, with what stands in braces replaced.
  function text(english, values) {
    return (table[english] || english).replace(/\{(\w+)\}/g, function (whole, name) {
      return values && name in values ? values[name] : whole;
    });
  }

  // Translates what is written in the page: its texts, and what is read aloud of them.
  function translate() {
    document.documentElement.lang = language;
    document.title = text(document.title);
    var nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      var english = nodes.currentNode.data.trim();
      if (table[english]) nodes.currentNode.data = nodes.currentNode.data.replace(english, table[english]);
    }
    [].forEach.call(document.querySelectorAll("[aria-label]"), function (element) {
      element.setAttribute("aria-label", text(element.getAttribute("aria-label")));
    });
  }

  document.addEventListener("DOMContentLoaded", translate);
  return { language: language, text: text };
})();
